import { describe, expect, test } from "vitest";
import { difference, type HeldOutSums, inMemory } from "../../src/linalg/projection.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { chooseRidge, isScarce, type RidgeStatistics } from "../../src/recover/choose-ridge.ts";
import { denseTarget } from "../../src/recover/dense-target.ts";
import { refitColumns } from "../../src/recover/least-squares.ts";
import { gramOf, maxDifference, multiply, randomMatrix, transpose } from "../linalg/random-matrix.ts";

const [SIZE, HIDDEN, HELD_OUT] = [12, 4, 30];
const RIDGE = 1e-3;
const KEPT = Int32Array.of(0, 2, 3, 5, 6, 8, 9, 11);
const weight = Float32Array.from(randomMatrix(HIDDEN, SIZE, 1));
const projection = { weight, inputSize: SIZE, outputSize: HIDDEN };
const identity = Float32Array.from({ length: HIDDEN ** 2 }, (_, i) => (i % (HIDDEN + 1) === 0 ? 1 : 0));

/** Activations and errors of some tokens: noise, and a share that a fit to other tokens finds too. */
function sample(tokens: number, seed: number, signal = 0) {
  const z = randomMatrix(tokens, SIZE, seed);
  const learnable = multiply(z, randomMatrix(SIZE, HIDDEN, 5), tokens, SIZE);
  const errors = randomMatrix(tokens, HIDDEN, seed + 1).map((noise, i) => noise + signal * learnable[i]!);
  const drift = multiply(transpose(errors, tokens), z, HIDDEN, tokens);
  return { z, errors, gram: Float32Array.from(gramOf(z, tokens)), drift: Float32Array.from(drift) };
}

const sum = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => value + b[i]!);

function problem(seenTokens: number, signal = 0) {
  const [seen, heldOut] = [sample(seenTokens, 10, signal), sample(HELD_OUT, 20, signal)];
  const all = { gram: sum(seen.gram, heldOut.gram), drift: sum(seen.drift, heldOut.drift) };
  return { seen, heldOut, all };
}

const read = ({ gram, drift }: HeldOutSums) => ({ gram: async () => gram, drift: async () => drift });

const given = (all: HeldOutSums, part: HeldOutSums, fisherFactor: Float32Array): RidgeStatistics => ({
  rest: read({ gram: difference(all.gram, part.gram), drift: difference(all.drift, part.drift) }),
  part: read(part),
  fisherFactor: async () => fisherFactor,
});

describe("the ridge", () => {
  const metric = Float32Array.from(gramOf(randomMatrix(HIDDEN, HIDDEN, 6), HIDDEN));

  test.each([
    [9, 0, "all noise", 1],
    [15, 4, "little text", 0.1],
    [20, 2, "more", 0.01],
    [60, 4, "much", 0.001],
  ])(
    "is the one whose fit to %i tokens, signal %f (%s), does best on others, counted token by token: %f",
    async (tokens, signal, _, expected) => {
      const { seen, heldOut, all } = problem(tokens, signal);
      const errorOf = async (ridge: number): Promise<number> => {
        const fitted = await refitColumns(projection, read(seen), KEPT, { gemm, ridge });
        const change = weight.map((value) => -value);
        for (let row = 0; row < HIDDEN; row++)
          for (const [i, j] of KEPT.entries()) change[row * SIZE + j]! += fitted[row * KEPT.length + i]!;
        const written = multiply(heldOut.z, transpose(change, HIDDEN), HELD_OUT, SIZE);
        const missing = written.map((value, i) => value - heldOut.errors[i]!);
        return multiply(missing, metric, HELD_OUT, HIDDEN).reduce((total, value, i) => total + value * missing[i]!, 0);
      };
      const ridges = [1, 10, 100, 1000].map((multiple) => multiple * RIDGE);
      const errors = await Promise.all(ridges.map(errorOf));
      const chosen = await chooseRidge(projection, given(all, heldOut, metric), KEPT, { gemm, ridge: RIDGE });
      expect([chosen, ridges[errors.indexOf(Math.min(...errors))]]).toEqual([expected, expected]);
    },
  );

  test("is far larger than what was asked for where tokens are few, and reaches the recovery", async () => {
    const { heldOut, all: sums } = problem(9);
    const all = { ...sums, fisherFactor: identity };
    const statistics = { ...all, mean: new Float32Array(SIZE), tokenCount: 9 + HELD_OUT };
    // S = I lets half of the error through: what the recovery fits, and judges by, is half of the drift
    const halved = (drift: Float32Array): Float32Array => drift.map((value) => value / 2);
    const [target, judged] = [
      { ...all, drift: halved(all.drift) },
      { ...heldOut, drift: halved(heldOut.drift) },
    ];
    const ridge = await chooseRidge(projection, given(target, judged, identity), KEPT, { gemm, ridge: RIDGE });
    expect(ridge).toBeGreaterThan(10 * RIDGE);
    const recovered = async (over: object) =>
      (await denseTarget.recover(projection, inMemory({ ...statistics, ...over }), KEPT, { gemm, ridge: RIDGE }))
        .weight;
    const refitted = (by: number) => refitColumns(projection, read(target), KEPT, { gemm, ridge: by });
    expect(maxDifference(await recovered({ heldOut }), await refitted(ridge))).toBeLessThan(1e-5);
    expect(maxDifference(await recovered({}), await refitted(RIDGE))).toBeLessThan(1e-5);
  });
});

test("tokens are scarce below ten for each input", () => {
  expect(isScarce(119, 12)).toBe(true);
  expect(isScarce(120, 12)).toBe(false);
});
