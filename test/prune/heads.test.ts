import { describe, expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/compute/tensor.ts";
import { magnitude } from "../../src/importance/magnitude.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { sizesOf } from "../../src/model/spec/parts.ts";
import { chooseHeads, headCut, headElements, takeHeads } from "../../src/prune/heads.ts";
import { smallSpec } from "../helpers/specs.ts";
import { layerOf } from "../recover/layer.ts";

const counting = (shape: number[], from: number): Tensor<Float32Array> =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => from + i),
    shape,
  );

test("the elements of heads lie one after the other", () => {
  expect([...headElements(Int32Array.of(0, 3), 2)]).toEqual([0, 1, 6, 7]);
});

test("queries keep the rows of their heads, keys and values those of theirs; o is what recovery made; the rest is untouched", () => {
  // four query heads of two elements, two key-value heads, hidden size 1
  const weights = {
    attentionNorm: counting([1], 0),
    qProj: counting([8, 1], 10),
    qBias: counting([8], 20),
    kProj: counting([4, 1], 30),
    kBias: counting([4], 40),
    vProj: counting([4, 1], 50),
    qNorm: counting([2], 60),
    oProj: counting([1, 8], 70),
    oBias: counting([1], 80),
    gateProj: counting([3, 1], 90),
  };
  const oProj = Float32Array.of(1, 2);
  const pruned = takeHeads(
    weights,
    { heads: Int32Array.of(3), keyValueHeads: Int32Array.of(1), inputs: Int32Array.of(6, 7) },
    { weight: oProj },
  );
  expect(pruned.qProj).toEqual(tensor(Float32Array.of(16, 17), [2, 1]));
  expect(pruned.qBias).toEqual(tensor(Float32Array.of(26, 27), [2]));
  expect(pruned.kProj).toEqual(tensor(Float32Array.of(32, 33), [2, 1]));
  expect(pruned.kBias).toEqual(tensor(Float32Array.of(42, 43), [2]));
  expect(pruned.vProj).toEqual(tensor(Float32Array.of(52, 53), [2, 1]));
  expect(pruned.oProj).toEqual(tensor(oProj, [1, 2]));
  for (const role of ["attentionNorm", "qNorm", "oBias", "gateProj"] as const) expect(pruned[role]).toBe(weights[role]);
  expect(pruned).not.toHaveProperty("vBias");
});

describe("the heads that stay", () => {
  // four query heads of two elements, two a group; by the norms of their columns head 1 is the least, then 0, 3, 2
  const layer = layerOf([2, 2, 1, 1, 5, 5, 4, 4], new Float64Array(8).fill(1), 8);
  const context = { gemm, random: Math.random };
  const ranking = { criterion: magnitude, projection: layer, statistics: layer, context, order: undefined };
  const sizes = sizesOf(smallSpec(1, { numAttentionHeads: 4, numKeyValueHeads: 2 }).layers[0]!);
  const left = (numAttentionHeads: number, numKeyValueHeads: number) => ({
    ...sizes,
    numAttentionHeads,
    numKeyValueHeads,
  });

  test.each([
    ["one of each group", { kvGroups: 0, heads: 1 }, [0, 2], [0, 1]],
    ["a group: the first two heads are the cheaper", { kvGroups: 1, heads: 0 }, [2, 3], [1]],
    ["a group and a head of the other", { kvGroups: 1, heads: 1 }, [2], [1]],
    ["none", { kvGroups: 0, heads: 2 }, [], []],
  ])("without %s", async (_, cut, heads, keyValueHeads) => {
    const choice = await chooseHeads(ranking, sizes, cut);
    expect([...choice.heads]).toEqual(heads);
    expect([...choice.keyValueHeads]).toEqual(keyValueHeads);
    expect([...choice.inputs]).toEqual(heads.flatMap((head) => [2 * head, 2 * head + 1]));
  });

  test.each([
    [left(2, 2), [0, 2]],
    [left(2, 1), [2, 3]],
    [left(1, 1), [2]],
  ])("are as many as the sizes say (%#)", async (after, heads) => {
    const { heads: chosen } = await headCut.choose(ranking, sizes, after);
    expect([...chosen]).toEqual(heads);
  });

  test("are all of them where nothing is cut", () => {
    const { heads, keyValueHeads, inputs } = headCut.all(sizes, 8);
    expect([[...heads], [...keyValueHeads], inputs.length]).toEqual([[0, 1, 2, 3], [0, 1], 8]);
  });
});
