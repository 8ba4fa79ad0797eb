import { describe, expect, test } from "vitest";
import { equalWidths, reachedSparsity, uniformWidth, withWidth } from "../../src/allocation/uniform.ts";
import { CompError } from "../../src/errors.ts";
import { parseConfig } from "../../src/model/config/parse-config.ts";
import type { DecoderSpec } from "../../src/model/spec/decoder-spec.ts";
import { readJsonFixture } from "../helpers/fixtures.ts";

// hidden 32, MLP 3 · 32 · width: see the fixture's config.json
const config = readJsonFixture<Record<string, unknown>>("tiny", "llama", "config.json");
const spec = (width: number, layers = 2): DecoderSpec =>
  parseConfig({ ...config, hidden_size: 32, intermediate_size: width, num_hidden_layers: layers }, "config.json");

describe("the width for a sparsity", () => {
  const model = spec(128);

  test.each([0.05, 0.1, 0.2, 0.3])("%f of all parameters: the largest multiple that reaches it", (sparsity) => {
    const width = uniformWidth(model, [0, 1], { sparsity, of: "all", multipleOf: 4 });
    expect(width % 4).toBe(0);
    expect(reachedSparsity(model, withWidth(model, [0, 1], width), "all")).toBeGreaterThanOrEqual(sparsity);
    expect(reachedSparsity(model, withWidth(model, [0, 1], width + 4), "all")).toBeLessThan(sparsity);
  });

  test("is a multiple of 32 where that reaches the sparsity, else any", () => {
    expect(uniformWidth(model, [0, 1], { sparsity: 0.1, of: "decoder" })).toBe(96);
    expect(uniformWidth(spec(31), [0, 1], { sparsity: 0.01, of: "decoder" })).toBe(30);
  });

  test("is the full width at sparsity 0, multiple or not", () => {
    expect(uniformWidth(spec(100), [0, 1], { sparsity: 0, of: "all", multipleOf: 64 })).toBe(100);
  });

  test("counts removed layers as removed parameters", () => {
    expect(uniformWidth(model, [1], { sparsity: 0.5, of: "decoder" })).toBe(128);
  });

  test("of matrices of decoder layers, worked out by hand", () => {
    // removing 64 of 128 neurons of both layers takes 2 · 3 · 32 · 64 of its parameters
    const pruned = withWidth(model, [0, 1], 64);
    const total = 2 * 3 * 32 * 64 * (1 / reachedSparsity(model, pruned, "decoder"));
    const attention = total / 2 - 3 * 32 * 128;
    const { headDim } = model;
    const { numAttentionHeads, numKeyValueHeads } = model.layers[0]!;
    expect(attention).toBeCloseTo(2 * 32 * headDim * (numAttentionHeads + numKeyValueHeads), 6);
  });

  test("out of reach is refused, telling how much can be reached", () => {
    const refused = (): number => uniformWidth(model, [0, 1], { sparsity: 0.95, of: "all" });
    expect(refused).toThrow(CompError);
    expect(refused).toThrow(/a sparsity of 0.95 cannot be reached by removing neurons alone; 0\.\d{3} is the most/);
  });
});

describe("layers of different widths", () => {
  const uneven: DecoderSpec = withWidth(spec(128), [0, 1], [128, 64]);

  test("stay as they are at sparsity 0", () => {
    const width = uniformWidth(uneven, [0, 1], { sparsity: 0, of: "all" });
    expect(equalWidths(uneven, [0, 1], width)).toEqual([128, 64]);
    expect(reachedSparsity(uneven, withWidth(uneven, [0, 1], width), "all")).toBe(0);
  });

  test("give up the widest first", () => {
    const width = uniformWidth(uneven, [0, 1], { sparsity: 0.05, of: "all", multipleOf: 1 });
    expect(equalWidths(uneven, [0, 1], width)).toEqual([width, 64]);
    expect(width).toBeGreaterThan(64);
  });
});
