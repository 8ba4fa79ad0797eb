import { expect, test } from "vitest";
import { BatchSampler } from "../../../src/forward/decode/batch-sampler.ts";
import { sampleToken } from "../../../src/forward/decode/sample.ts";
import { createRandom } from "../../../src/linalg/random.ts";
import { nodeBackend } from "../../../src/node/host.ts";

// 900 rows of 1,300 logits are more than go at once, and 512 more than one block of tokens holds
test.each([
  [5, 100],
  [4, 1024],
  [900, 1300],
])("%i sequences with %i tokens each draw what they would draw alone", async (count, vocabSize) => {
  const random = createRandom(3);
  const logits = Float32Array.from({ length: count * vocabSize }, () => 12 * random.nextFloat());
  const temperatures = Array.from({ length: count }, (_, i) => [0.5, 1, 3][i % 3]!);
  const places = Array.from({ length: count }, () => random.nextFloat());
  const sampler = new BatchSampler(nodeBackend(1), vocabSize, temperatures);
  const drawn = await sampler.draw(logits, (i) => places[i]!);
  await sampler.release();
  const alone = temperatures.map((temperature, i) =>
    sampleToken(logits.subarray(i * vocabSize, (i + 1) * vocabSize), temperature, () => places[i]!),
  );
  expect([...drawn]).toEqual(alone);
  expect(new Set(alone).size).toBeGreaterThan(2);
});
