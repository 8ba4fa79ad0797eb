import { describe, expect, test } from "vitest";
import {
  equalWidths,
  isProtected,
  reachedSparsity,
  stepOf,
  uniformWidth,
  withWidth,
} from "../../src/allocation/equal-widths.ts";
import { CompError } from "../../src/errors.ts";
import { parseConfig } from "../../src/model/config/parse-config.ts";
import type { DecoderSpec } from "../../src/model/spec/decoder-spec.ts";
import { sizesOf } from "../../src/model/spec/parts.ts";
import { readJsonFixture } from "../helpers/fixtures.ts";
import { layersAt, position, smallSpec } from "../helpers/specs.ts";

// hidden 32, MLP 3 · 32 · width: see the fixture's config.json
const config = readJsonFixture<Record<string, unknown>>("tiny", "llama", "config.json");
const spec = (width: number, layers = 2): DecoderSpec =>
  parseConfig({ ...config, hidden_size: 32, intermediate_size: width, num_hidden_layers: layers }, "config.json");

const both = layersAt(0, 1);

describe("the width for a sparsity", () => {
  const model = spec(128);

  test.each([0.05, 0.1, 0.2, 0.3])("%f of all parameters: the largest multiple that reaches it", (sparsity) => {
    const width = uniformWidth(model, both, { sparsity, of: "all", multipleOf: 4 });
    expect(width % 4).toBe(0);
    expect(reachedSparsity(model, withWidth(model, both, width), "all")).toBeGreaterThanOrEqual(sparsity);
    expect(reachedSparsity(model, withWidth(model, both, width + 4), "all")).toBeLessThan(sparsity);
  });

  test("is a multiple of 32 where that reaches the sparsity, else any", () => {
    expect(uniformWidth(model, both, { sparsity: 0.1, of: "decoder" })).toBe(96);
    expect(uniformWidth(spec(31), both, { sparsity: 0.01, of: "decoder" })).toBe(30);
  });

  test("fills blocks where that costs next to nothing", () => {
    const wide = spec(1024);
    const width = (sparsity: number, blockSize: number): number =>
      uniformWidth(wide, both, { sparsity, of: "decoder", blockSize });
    expect([width(0.1, 1), width(0.1, 256)]).toEqual([896, 896]);
    expect([width(0.23, 1), width(0.23, 256)]).toEqual([768, 768]);
    const roomy = spec(8192);
    const near = { sparsity: 0.24, of: "decoder" } as const;
    expect(uniformWidth(roomy, both, near)).toBe(6208);
    expect(uniformWidth(roomy, both, { ...near, blockSize: 256 })).toBe(6144);
    expect(uniformWidth(roomy, both, { ...near, blockSize: 256, multipleOf: 32 })).toBe(6208);
  });

  test("of a layer's own is found in blocks where there are many", () => {
    expect([
      stepOf(8192, { multipleOf: undefined, blockSize: 256 }),
      stepOf(2048, { multipleOf: undefined, blockSize: 256 }),
    ]).toEqual([256, 32]);
    expect(stepOf(8192, { multipleOf: 64, blockSize: 256 })).toBe(64);
    expect(stepOf(8192, { multipleOf: undefined })).toBe(32);
  });

  test("is the full width at sparsity 0, multiple or not", () => {
    expect(uniformWidth(spec(100), both, { sparsity: 0, of: "all", multipleOf: 64 })).toBe(100);
  });

  test("counts removed layers as removed parameters", () => {
    expect(uniformWidth(model, layersAt(1), { sparsity: 0.5, of: "decoder" })).toBe(128);
  });

  test("of matrices of decoder layers, worked out by hand", () => {
    // removing 64 of 128 neurons of both layers takes 2 · 3 · 32 · 64 of its parameters
    const pruned = withWidth(model, both, 64);
    const total = 2 * 3 * 32 * 64 * (1 / reachedSparsity(model, pruned, "decoder"));
    const attention = total / 2 - 3 * 32 * 128;
    const { headDim } = model;
    const { numAttentionHeads, numKeyValueHeads } = sizesOf(model.layers[0]!);
    expect(attention).toBeCloseTo(2 * 32 * headDim * (numAttentionHeads + numKeyValueHeads), 6);
  });

  test("out of reach is refused, telling how much can be reached", () => {
    const refused = (): number => uniformWidth(model, both, { sparsity: 0.95, of: "all" });
    expect(refused).toThrow(CompError);
    expect(refused).toThrow(/a sparsity of 0.95 cannot be reached by removing neurons alone; 0\.\d{3} is the most/);
  });
});

describe("layers of different widths", () => {
  const uneven: DecoderSpec = withWidth(spec(128), both, [128, 64]);

  test("stay as they are at sparsity 0", () => {
    const width = uniformWidth(uneven, both, { sparsity: 0, of: "all" });
    expect(equalWidths(uneven, both, width)).toEqual([128, 64]);
    expect(reachedSparsity(uneven, withWidth(uneven, both, width), "all")).toBe(0);
  });

  test("give up the widest first", () => {
    const width = uniformWidth(uneven, both, { sparsity: 0.05, of: "all", multipleOf: 1 });
    expect(equalWidths(uneven, both, width)).toEqual([width, 64]);
    expect(width).toBeGreaterThan(64);
  });
});

describe("protected layers", () => {
  test.each<[number[] | undefined, boolean[]]>([
    [undefined, [false, false, false, false]],
    [
      [1, 0],
      [true, false, false, false],
    ],
    [
      [1, 2],
      [true, false, true, true],
    ],
    [
      [4, 2],
      [true, true, true, true],
    ],
  ])("%j of four", (counts, expected) => {
    expect([0, 1, 2, 3].map((at) => isProtected(position(at), 4, counts))).toEqual(expected);
  });

  test("keep all their neurons, and the others give what is asked for", () => {
    // of 4000 parameters 600 go: 20 neurons of 30 from one layer, 10 from each of two
    const target = { sparsity: 0.15, of: "decoder", multipleOf: 1, protectedLayers: [1, 1] } as const;
    const width = uniformWidth(smallSpec(), layersAt(0, 1, 2, 3), target);
    expect(equalWidths(smallSpec(), layersAt(0, 1, 2, 3), width, [1, 1])).toEqual([20, 10, 10, 20]);
  });

  test("are counted among the layers that stay", () => {
    expect(equalWidths(smallSpec(), layersAt(2, 3), 5, [1, 0])).toEqual([20, 5]);
  });
});

test.each<[object, string]>([
  [{}, "ask for less or remove layers with --layers"],
  [{ multipleOf: 4 }, "ask for less, remove layers with --layers, or lower --multiple-of"],
  [{ protectedLayers: [1, 0] }, "ask for less, remove layers with --layers, or spare fewer with --spare"],
])("out of reach with %j the hint is: %s", (over, hint) => {
  const refused = () => uniformWidth(smallSpec(2), both, { sparsity: 0.9, of: "decoder", ...over });
  expect(refused).toThrow(expect.objectContaining({ kind: "budget", hint }));
});
