// Mask tuning against the system of its definition.
import { describe, expect, test } from "vitest";
import { complement, gatherBlock, gatherColumns } from "../../src/linalg/gather.ts";
import { isTrusted, maskSpread } from "../../src/linalg/mask-system.ts";
import { inMemory } from "../../src/linalg/projection.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { mask } from "../../src/recover/mask.ts";
import { bruteInverse, gramOf, maxDifference, multiply } from "../linalg/random-matrix.ts";
import { allOf, type Layer, makeLayer, squaredError, widen } from "./layer.ts";

const layer = makeLayer(20, 48); // wide enough for the mask to stay in its trusted range
const kept = Int32Array.of(0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19);
const removed = complement(kept, 20);
const all = allOf(layer);

/** Q = G ⊙ WᵀW by its definition. */
const products = gramOf(layer.weight, layer.outputSize);
const system = layer.gram.map((value, i) => value * products[i]!);
const block = (rows: Int32Array, cols: Int32Array): Float64Array => gatherBlock(system, 20, rows, cols);
const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

/** The scales that were folded into the first row of the weights. */
async function scalesOf(of: Layer, stay: Int32Array, ridge: number): Promise<Float32Array> {
  const { weight } = await mask.recover(of, inMemory(of), stay, { gemm, ridge });
  return weight.slice(0, stay.length).map((value, i) => value / of.weight[stay[i]!]!);
}

test("the error of a mask is (1 − m)ᵀ Q (1 − m)", () => {
  const m = Float64Array.from({ length: 20 }, (_, j) => 0.5 + j / 20);
  const scaled = layer.weight.map((value, i) => value * m[i % 20]!);
  const gap = m.map((value) => 1 - value);
  const predicted = sum(multiply(system, gap, 20, 20).map((value, j) => value * gap[j]!));
  expect(squaredError(layer, widen(layer, all, scaled)) / predicted).toBeCloseTo(1, 5);
});

test("the tuned mask solves Q_KK m = (Q 1)_K and reaches the Schur complement's error", async () => {
  const { weight } = await mask.recover(layer, inMemory(layer), kept, { gemm, ridge: 1e-9 });
  const inverse = bruteInverse(block(kept, kept), 14);
  const target = multiply(block(kept, all), new Float64Array(20).fill(1), 14, 20);
  const scales = multiply(inverse, target, 14, 14);
  const expected = gatherColumns(layer.weight, 20, kept).map((value, i) => value * scales[i % 14]!);
  expect(maxDifference(weight, expected)).toBeLessThan(1e-4);

  const solved = multiply(inverse, block(kept, removed), 14, 14);
  const error = sum(block(removed, removed)) - sum(multiply(block(removed, kept), solved, 6, 14));
  expect(squaredError(layer, widen(layer, kept, weight)) / error).toBeCloseTo(1, 4);
});

describe("a mask that strays", () => {
  // one output only: a few inputs would have to do everything
  const alike = makeLayer(12, 1, 300, 7);
  const stay = Int32Array.of(2, 5, 8);
  const own = gramOf(alike.weight, 1);
  const q = alike.gram.map((value, i) => value * own[i]!);
  const lost = multiply(gatherBlock(q, 12, stay, complement(stay, 12)), new Float64Array(9).fill(1), 3, 9);

  /** 1 + (Q_KK + μI)⁻¹ Q_KP 1, solved directly. */
  function tuned(damping: number): Float64Array {
    const system = gatherBlock(q, 12, stay, stay);
    const mean = allOf(alike).reduce((total, j) => total + q[13 * j]! / 12, 0);
    for (let i = 0; i < 3; i++) system[4 * i]! += damping * mean;
    return multiply(bruteInverse(system, 3), lost, 3, 3).map((change) => 1 + change);
  }

  test.each([
    [0, [0, 1e-3, 4e-3]],
    [1e-2, [1e-2, 4e-2]],
  ])(
    "is pulled back from the damping asked for, %f, by factors of four until its spread is trusted",
    async (ridge, first) => {
      const dampings = [...first];
      while (!isTrusted(maskSpread(tuned(dampings.at(-1)!)))) dampings.push(4 * dampings.at(-1)!);
      const damping = dampings.find((one) => isTrusted(maskSpread(tuned(one))))!;
      expect(damping).toBeGreaterThan(ridge);
      expect(maxDifference(await scalesOf(alike, stay, ridge), tuned(damping))).toBeLessThan(1e-5);
    },
  );
});

test("more damping leaves the mask nearer to 1", async () => {
  const spreads: number[] = [];
  for (const ridge of [10, 0.1, 1e-4]) spreads.push(maskSpread(await scalesOf(layer, kept, ridge)).maxDeviation);
  expect(spreads).toEqual(spreads.toSorted((a, b) => a - b));
});
