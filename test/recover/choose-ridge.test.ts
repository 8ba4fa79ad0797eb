import { describe, expect, test } from "vitest";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { chooseRidge, isScarce } from "../../src/recover/choose-ridge.ts";
import { denseTarget } from "../../src/recover/dense-target.ts";
import { refitColumns } from "../../src/recover/refit.ts";
import { gramOf, multiply, randomMatrix, transpose } from "../linalg/random-matrix.ts";

const [SIZE, HIDDEN, HELD_OUT] = [12, 4, 30];
const RIDGE = 1e-3;
const KEPT = Int32Array.of(0, 2, 3, 5, 6, 8, 9, 11);
const projection = Float32Array.from(randomMatrix(HIDDEN, SIZE, 1));
const identity = Float32Array.from({ length: HIDDEN ** 2 }, (_, i) => (i % (HIDDEN + 1) === 0 ? 1 : 0));

/** Activations and errors of some tokens, all noise: the less is fitted of it, the better. */
function noise(tokens: number, seed: number) {
  const z = randomMatrix(tokens, SIZE, seed);
  const errors = randomMatrix(tokens, HIDDEN, seed + 1);
  const drift = multiply(transpose(errors, tokens), z, HIDDEN, tokens);
  return { z, errors, gram: Float32Array.from(gramOf(z, tokens)), drift: Float32Array.from(drift) };
}

const sum = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => value + b[i]!);

function problem(seenTokens: number) {
  const [seen, heldOut] = [noise(seenTokens, 10), noise(HELD_OUT, 20)];
  const rest = { projection, hiddenSize: HIDDEN, kept: KEPT, ridge: RIDGE };
  const all = { ...rest, gram: sum(seen.gram, heldOut.gram), drift: sum(seen.drift, heldOut.drift) };
  return { seen: { ...rest, gram: seen.gram, drift: seen.drift }, heldOut, all };
}

describe("the ridge", () => {
  test.each([9, 2000])(
    "is the one whose fit to %i tokens does best on others, counted token by token",
    async (tokens) => {
      const { seen, heldOut, all } = problem(tokens);
      const errorOf = async (ridge: number): Promise<number> => {
        const fitted = await refitColumns(gemm, { ...seen, ridge });
        const change = projection.map((weight) => -weight);
        for (let row = 0; row < HIDDEN; row++)
          for (const [i, j] of KEPT.entries()) change[row * SIZE + j]! += fitted[row * KEPT.length + i]!;
        const written = multiply(heldOut.z, transpose(change, HIDDEN), HELD_OUT, SIZE);
        return heldOut.errors.reduce((total, error, i) => total + (written[i]! - error) ** 2, 0);
      };
      const ridges = [1, 10, 100, 1000].map((multiple) => multiple * RIDGE);
      const errors = await Promise.all(ridges.map(errorOf));
      expect(await chooseRidge(gemm, all, heldOut, identity)).toBe(ridges[errors.indexOf(Math.min(...errors))]);
    },
  );

  test("is far larger than what was asked for where tokens are few, and reaches the recovery", async () => {
    const { heldOut, all } = problem(9);
    const input = { ...all, downProj: projection, mean: new Float32Array(SIZE), tokenCount: 9 + HELD_OUT };
    const { diagnostics } = await denseTarget.recover({ ...input, heldOut, lossCovariance: identity }, { gemm });
    expect(diagnostics.ridge).toBeGreaterThan(10 * RIDGE);
    const plain = await denseTarget.recover({ ...input, lossCovariance: identity }, { gemm });
    expect(plain.diagnostics.ridge).toBe(RIDGE);
  });
});

test("tokens are scarce below ten for each input", () => {
  expect(isScarce(119, 12)).toBe(true);
  expect(isScarce(120, 12)).toBe(false);
});
