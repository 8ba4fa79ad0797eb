import { describe, expect, test } from "vitest";
import { headSteps, stepsOf } from "../../src/allocation/curves.ts";
import type { LayerIndex } from "../../src/model/spec/layer-index.ts";
import { sizesOf } from "../../src/model/spec/parts.ts";
import { layersAt, tinySpec } from "../helpers/specs.ts";

// hidden size 32, 80 neurons, four query heads and two key-value heads of 8 elements
const spec = tinySpec("llama");
const layer = sizesOf(spec.layers[0]!);
const [first] = layersAt(0) as [LayerIndex];
const ones = (count: number): Float64Array => new Float64Array(count).fill(1);

describe("an attention", () => {
  test("loses a query head of each group, at last itself", () => {
    expect(headSteps(layer)).toEqual([
      { numAttentionHeads: 2, numKeyValueHeads: 2 },
      { numAttentionHeads: 0, numKeyValueHeads: 0 },
    ]);
  });

  test("without groups loses key-value heads", () => {
    const sizes = headSteps({ ...layer, numAttentionHeads: 3, numKeyValueHeads: 3 });
    expect(sizes.map(({ numAttentionHeads, numKeyValueHeads }) => [numAttentionHeads, numKeyValueHeads])).toEqual([
      [2, 2],
      [1, 1],
      [0, 0],
    ]);
  });

  test("that is absent loses nothing", () =>
    expect(headSteps({ ...layer, numAttentionHeads: 0, numKeyValueHeads: 0 })).toEqual([]));

  test("brings the rows and columns of its heads, at last keys, values and the norm before it", () => {
    const costs = { neurons: ones(0), restOfMlp: undefined, heads: Float64Array.of(3, 7) };
    const [, attention] = stepsOf(spec, first, costs, { neurons: 16, of: "all" });
    expect(attention!.map(({ cost, parameters }) => [cost, parameters])).toEqual([
      [3, 2 * 2 * 8 * 32],
      [7, 2 * 2 * 8 * 32 + 2 * 2 * 8 * 32 + 32],
    ]);
    const matrices = stepsOf(spec, first, costs, { neurons: 16, of: "decoder" })[1]!;
    expect(matrices[1]!.parameters).toBe(4 * 2 * 8 * 32);
  });
});

describe("an MLP", () => {
  test("goes in steps that leave multiples, and at last as a whole", () => {
    const costs = { neurons: ones(60), restOfMlp: 40, heads: ones(0) };
    const [mlp] = stepsOf(spec, first, costs, { neurons: 32, of: "decoder" });
    expect(mlp).toEqual([
      { sizes: { intermediateSize: 64 }, cost: 16, parameters: 3 * 32 * 16 },
      { sizes: { intermediateSize: 32 }, cost: 32, parameters: 3 * 32 * 32 },
      { sizes: { intermediateSize: 0 }, cost: 12 + 40, parameters: 3 * 32 * 32 },
    ]);
  });

  test("keeps its last neurons where it has to stay", () => {
    const [mlp] = stepsOf(
      spec,
      first,
      { neurons: ones(60), restOfMlp: undefined, heads: ones(0) },
      { neurons: 32, of: "all" },
    );
    expect(mlp!.map(({ sizes }) => sizes.intermediateSize)).toEqual([64, 32]);
  });
});
