// Sizes of the pruned model by hand: layers of 1000 parameters, 400 of attention in two heads and 30 for each of 20 neurons.

import { describe, expect, test } from "vitest";
import { type LayerCosts, neuronsOnly } from "../../src/allocation/curves.ts";
import { reachedSparsity } from "../../src/allocation/equal-widths.ts";
import { equalSpec, meanSize, meanWidth, perLayerSpec, uncutNeurons } from "../../src/allocation/sizes.ts";
import type { DecoderSpec } from "../../src/model/spec/decoder-spec.ts";
import { resized, sizesOf } from "../../src/model/spec/parts.ts";
import { methodOf } from "../helpers/method.ts";
import { layersAt, smallSpec } from "../helpers/specs.ts";

const spec = smallSpec(2);
const both = layersAt(0, 1);
const method = (over: object = {}) =>
  methodOf({ sparsityOf: "decoder", prune: "mlp", layers: 0, multipleOf: 1, ...over }, spec);
const widthsOf = ({ layers }: DecoderSpec): number[] => layers.map((layer) => sizesOf(layer).intermediateSize);
const flat = (cost: number): LayerCosts => neuronsOnly(new Float64Array(15).fill(cost));

describe("equal sizes", () => {
  test("of both layers: 300 of 2000 parameters are 5 neurons of each", () => {
    expect(widthsOf(equalSpec(spec, both, method(), 0.15))).toEqual([15, 15]);
  });

  test("a removed layer counts: half is gone with it, 200 more are 7 neurons of the other", () => {
    expect(widthsOf(equalSpec(spec, layersAt(1), method(), 0.5))).toEqual([20]);
    expect(widthsOf(equalSpec(spec, layersAt(1), method(), 0.6))).toEqual([13]);
  });

  test("heads go first: 200 parameters of each layer, 100 more are 4 neurons", () => {
    const byHeads = equalSpec(spec, both, method({ prune: "all", kvGroups: 1 }), 0.3);
    expect(byHeads.layers.map((layer) => sizesOf(layer).numAttentionHeads)).toEqual([1, 1]);
    expect(widthsOf(byHeads)).toEqual([16, 16]);
    expect(widthsOf(equalSpec(spec, both, method({ prune: "all", kvGroups: 1 }), 0.1))).toEqual([20, 20]);
  });

  test("other layers than those that stay can be shown at the same width", () => {
    expect(widthsOf(equalSpec(spec, layersAt(1), method(), 0.6, both))).toEqual([13, 13]);
  });

  test("protected layers keep theirs: 300 parameters are 10 neurons of the other", () => {
    expect(widthsOf(equalSpec(spec, both, method({ spare: [0, 1] }), 0.15))).toEqual([10, 20]);
  });
});

describe("sizes of each layer's own", () => {
  const own = (costs: LayerCosts[], sparsity: number, over: object = {}) =>
    perLayerSpec(spec, both, costs, method({ widths: "per-layer", multipleOf: 5, ...over }), sparsity);

  test("the cheaper layer gives first, in steps, down to a quarter", () => {
    expect(widthsOf(own([flat(1), flat(3)], 0.15))).toEqual([10, 20]);
    expect(widthsOf(own([flat(1), flat(3)], 0.3))).toEqual([5, 15]);
    expect(widthsOf(own([flat(3), flat(1)], 0.151))).toEqual([20, 5]);
  });

  test("beyond the costs all become as narrow as it takes: 1020 of 2000 parameters are 34 neurons", () => {
    expect(widthsOf(own([flat(1), flat(3)], 0.51, { multipleOf: 1 }))).toEqual([3, 3]);
    const narrow = neuronsOnly(new Float64Array(18).fill(1));
    expect(widthsOf(own([narrow, flat(3)], 0.51, { multipleOf: 1 }))).toEqual([2, 4]);
  });

  test("steps are of 32 neurons where nothing else is asked for", () => {
    const wide = smallSpec(2, { intermediateSize: 100 });
    const costs = [1, 3].map((cost) => neuronsOnly(new Float64Array(75).fill(cost)));
    const spec32 = perLayerSpec(wide, both, costs, methodOf({ sparsityOf: "decoder", widths: "per-layer" }, wide), 0.1);
    // of 2 · 3400 parameters 680 go, 23 neurons: 4 leave a multiple of 32, 36 are more than enough
    expect(widthsOf(spec32)).toEqual([64, 100]);
  });

  test("protected layers give nothing, however cheap", () => {
    expect(widthsOf(own([flat(1), flat(3)], 0.15, { spare: [1, 0], allocation: "loss" }))).toEqual([20, 10]);
  });

  test("costs are those of the layers that stay", () => {
    // layer 0 is gone, half of what there was; 0.1 more are 200 parameters, two steps of 150
    const three = smallSpec(3);
    const kept = layersAt(1, 2);
    const sparsity = 1000 / 3000 + 0.05;
    const after = perLayerSpec(
      three,
      kept,
      [flat(0.1), flat(3), flat(1)],
      method({ widths: "per-layer", multipleOf: 5 }),
      sparsity,
    );
    expect(widthsOf(after)).toEqual([20, 15]);
  });

  test("a head that costs less for its 200 parameters goes, and a whole MLP", () => {
    const [dear, cheapHead] = [
      { ...flat(3), heads: Float64Array.of(50, 50), restOfMlp: 100 },
      { ...flat(3), heads: Float64Array.of(0.1, 50), restOfMlp: 100 },
    ];
    const sizes = own([dear, cheapHead], 0.1, { prune: "all" }).layers.map(sizesOf);
    expect(sizes.map(({ numAttentionHeads, numKeyValueHeads }) => [numAttentionHeads, numKeyValueHeads])).toEqual([
      [2, 2],
      [1, 1],
    ]);
    expect(widthsOf(own([dear, { ...flat(0.1), heads: dear.heads, restOfMlp: 0.1 }], 0.3, { prune: "all" }))).toEqual([
      20, 0,
    ]);
  });
});

describe("before any neuron goes", () => {
  test("a bias that the recovery adds is there, unless nothing is cut", () => {
    const biased = methodOf({ preset: "flap", widths: "equal", prune: "mlp" }, spec);
    expect(uncutNeurons(spec, biased, 0.2).bias).toEqual({ qkv: false, o: false, mlp: true, down: true });
    expect(uncutNeurons(spec, biased, 0)).toBe(spec);
  });

  test("a bias is no matrix: it leaves the decoder's sparsity alone", () => {
    const biased = methodOf({ preset: "flap", widths: "equal", prune: "mlp" }, spec);
    expect(reachedSparsity(spec, uncutNeurons(spec, biased, 0.2), "decoder")).toBe(0);
    // 2 · 20 of gate and up, 10 of down, twice
    expect(reachedSparsity(spec, uncutNeurons(spec, biased, 0.2), "all")).toBeCloseTo(-100 / 2150, 12);
  });
});

test("mean sizes, a width to the nearest neuron", () => {
  const uneven = { ...spec, layers: [resized(spec.layers[0]!, { intermediateSize: 7 }), spec.layers[1]!] };
  expect([meanSize(uneven, "intermediateSize"), meanWidth(uneven), meanSize(uneven, "numKeyValueHeads")]).toEqual([
    13.5, 14, 2,
  ]);
});
