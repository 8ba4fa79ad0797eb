import { expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/compute/tensor.ts";
import { headElements, pruneHeads } from "../../src/prune/heads.ts";

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
  const pruned = pruneHeads(weights, { heads: Int32Array.of(3), keyValueHeads: Int32Array.of(1) }, 2, oProj);
  expect(pruned.qProj).toEqual(tensor(Float32Array.of(16, 17), [2, 1]));
  expect(pruned.qBias).toEqual(tensor(Float32Array.of(26, 27), [2]));
  expect(pruned.kProj).toEqual(tensor(Float32Array.of(32, 33), [2, 1]));
  expect(pruned.kBias).toEqual(tensor(Float32Array.of(42, 43), [2]));
  expect(pruned.vProj).toEqual(tensor(Float32Array.of(52, 53), [2, 1]));
  expect(pruned.oProj).toEqual(tensor(oProj, [1, 2]));
  for (const role of ["attentionNorm", "qNorm", "oBias", "gateProj"] as const) expect(pruned[role]).toBe(weights[role]);
  expect(pruned).not.toHaveProperty("vBias");
});
