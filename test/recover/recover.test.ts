import { describe, expect, test } from "vitest";
import { complement, gatherColumns } from "../../src/linalg/gather.ts";
import { TRUSTED_SPREAD } from "../../src/linalg/mask-system.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { type RecoveryName, recoveries } from "../../src/recover/index.ts";
import { layerError } from "../../src/recover/layer-error.ts";
import { bruteInverse, maxDifference, multiply } from "../linalg/random-matrix.ts";
import { makeLayer, squaredError, widen } from "./layer.ts";

const layer = makeLayer(20, 48); // wide enough for the mask to stay in its trusted range
const kept = Int32Array.of(0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19);
const removed = complement(kept, layer.size);
const all = Int32Array.from({ length: layer.size }, (_, j) => j);
const names = Object.keys(recoveries) as RecoveryName[];

const recover = (name: RecoveryName, over: object = {}) =>
  recoveries[name].recover({ ...layer, kept, ...over }, { gemm });

/** Q = G ⊙ WᵀW by its definition. */
const maskSystem = Float64Array.from({ length: layer.size ** 2 }, (_, index) => {
  const [j, k] = [Math.floor(index / layer.size), index % layer.size];
  let product = 0;
  for (let o = 0; o < layer.hiddenSize; o++)
    product += layer.downProj[o * layer.size + j]! * layer.downProj[o * layer.size + k]!;
  return product * layer.gram[index]!;
});

const block = (a: ArrayLike<number>, rows: Int32Array, cols: Int32Array): Float64Array =>
  Float64Array.from([...rows].flatMap((i) => [...cols].map((j) => a[i * layer.size + j]!)));

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

describe.each(names)("%s", (name) => {
  test("is listed under its own name", () => {
    expect(recoveries[name].name).toBe(name);
  });

  test("changes nothing when every neuron stays", async () => {
    expect((await recover(name, { kept: all })).downProj).toEqual(layer.downProj);
  });

  test("reports the error that the activations themselves show", async () => {
    const { downProj, bias } = await recover(name);
    const direct =
      squaredError(layer, widen(layer, kept, downProj), bias) /
      squaredError(layer, new Float64Array(layer.size * layer.hiddenSize));
    const error = await layerError(gemm, layer.gram, layer.downProj, kept, downProj, { ...layer, bias });
    expect(error).toBeCloseTo(Math.sqrt(direct), 5);
  });
});

test("least squares beats the mask, and the mask beats doing nothing", async () => {
  const errorOf = async (name: RecoveryName) =>
    layerError(gemm, layer.gram, layer.downProj, kept, (await recover(name, { ridge: 1e-6 })).downProj);
  const [none, mask, leastSquares] = [await errorOf("none"), await errorOf("mask"), await errorOf("least-squares")];
  expect(mask).toBeLessThan(none);
  expect(leastSquares).toBeLessThan(mask);
});

test("least squares reaches the Schur complement's residual tr(W_P S W_Pᵀ)", async () => {
  const { downProj } = await recover("least-squares", { ridge: 1e-9 });
  const cross = block(layer.gram, kept, removed);
  const solved = multiply(bruteInverse(block(layer.gram, kept, kept), kept.length), cross, kept.length, kept.length);
  const explained = multiply(block(layer.gram, removed, kept), solved, removed.length, kept.length);
  const schur = block(layer.gram, removed, removed).map((value, i) => value - explained[i]!);
  const lost = gatherColumns(layer.downProj, layer.size, removed);
  const residual = sum(multiply(lost, schur, layer.hiddenSize, removed.length).map((value, i) => value * lost[i]!));
  expect(squaredError(layer, widen(layer, kept, downProj))).toBeCloseTo(residual, 2);
});

test("a bias is the mean of what was removed, and better than any other constant", async () => {
  const { downProj, bias } = await recover("bias");
  const weights = widen(layer, kept, downProj);
  const best = squaredError(layer, weights, bias);
  expect(best).toBeLessThan(squaredError(layer, weights));
  for (const factor of [0.9, 1.1])
    expect(best).toBeLessThan(
      squaredError(
        layer,
        weights,
        bias!.map((value) => factor * value),
      ),
    );
});

test("the error of a mask is (1 − m)ᵀ Q (1 − m)", () => {
  const m = Float64Array.from({ length: layer.size }, (_, j) => 0.5 + j / layer.size);
  const scaled = layer.downProj.map((value, i) => value * m[i % layer.size]!);
  const gap = m.map((value) => 1 - value);
  const predicted = sum(multiply(maskSystem, gap, layer.size, layer.size).map((value, j) => value * gap[j]!));
  expect(squaredError(layer, widen(layer, all, scaled)) / predicted).toBeCloseTo(1, 5);
});

test("the tuned mask solves Q_KK m = (Q 1)_K and reaches the Schur complement's error", async () => {
  const { downProj } = await recover("mask", { ridge: 1e-9 });
  const inverse = bruteInverse(block(maskSystem, kept, kept), kept.length);
  const target = multiply(block(maskSystem, kept, all), new Float64Array(layer.size).fill(1), kept.length, layer.size);
  const scales = multiply(inverse, target, kept.length, kept.length);
  const expected = gatherColumns(layer.downProj, layer.size, kept).map((value, i) => value * scales[i % kept.length]!);
  expect(maxDifference(downProj, expected)).toBeLessThan(1e-4);

  const cross = block(maskSystem, removed, kept);
  const solved = multiply(inverse, block(maskSystem, kept, removed), kept.length, kept.length);
  const error = sum(block(maskSystem, removed, removed)) - sum(multiply(cross, solved, removed.length, kept.length));
  expect(squaredError(layer, widen(layer, kept, downProj)) / error).toBeCloseTo(1, 4);
});

test("a mask that strays is pulled back by more damping until its spread is trusted", async () => {
  const alike = makeLayer(12, 1, 300, 7); // one output only: a few neurons would have to do everything
  const { diagnostics } = await recoveries.mask.recover({ ...alike, kept: Int32Array.of(2, 5, 8) }, { gemm });
  expect(diagnostics.damping).toBeGreaterThan(1e-3);
  expect(diagnostics.maskVariance).toBeLessThanOrEqual(TRUSTED_SPREAD.variance);
  expect(diagnostics.maskMaxDeviation).toBeLessThanOrEqual(TRUSTED_SPREAD.maxDeviation);
});

test.each(["mask", "least-squares"] as const)("%s refuses statistics that are not finite", async (name) => {
  const gram = layer.gram.slice();
  gram[1] = Number.NaN;
  gram[layer.size] = Number.NaN;
  await expect(recover(name, { gram })).rejects.toMatchObject({ kind: "numeric" });
  await expect(recover(name, { gram: gram.fill(0) })).rejects.toMatchObject({ kind: "numeric" });
});
