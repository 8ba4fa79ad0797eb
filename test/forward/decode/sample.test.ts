import { expect, test } from "vitest";
import { greedyToken, sampleToken } from "../../../src/forward/decode/sample.ts";
import { createRandom } from "../../../src/linalg/random.ts";

const logits = Float32Array.of(1, 3, 3, -2);

test("greedy takes the largest, the first of equals; temperature 0 is greedy", () => {
  expect(greedyToken(logits)).toBe(1);
  expect(sampleToken(logits, 0, () => 0.999)).toBe(1);
});

test("a draw falls where the cumulated probabilities say", () => {
  // softmax of ln 1, ln 2, ln 5: 1/8, 2/8, 5/8
  const known = Float32Array.of(0, Math.log(2), Math.log(5));
  expect([0, 0.12, 0.13, 0.37, 0.38, 0.999].map((random) => sampleToken(known, 1, () => random))).toEqual([
    0, 0, 1, 1, 2, 2,
  ]);
});

test("tokens come as often as softmax(logits / temperature) says", () => {
  const random = createRandom(7);
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 20_000; i++) counts[sampleToken(logits, 2, random.nextFloat)]!++;
  const weights = [...logits].map((logit) => Math.exp(logit / 2));
  const sum = weights.reduce((a, b) => a + b, 0);
  counts.forEach((count, token) => {
    expect(count / 20_000).toBeCloseTo(weights[token]! / sum, 2);
  });
});

test("logits of any size give a token", () =>
  expect(sampleToken(Float32Array.of(-1e30, 1e30), 0.5, () => 0.5)).toBe(1));

test("a draw from a large vocabulary finds its token, whichever stretch of it that is in", () => {
  const uniform = new Float32Array(1300);
  const drawn = [0.5, 511.5, 512.5, 1023.5, 1024.5, 1299.5].map((at) => sampleToken(uniform, 1, () => at / 1300));
  expect(drawn).toEqual([0, 511, 512, 1023, 1024, 1299]);
});
