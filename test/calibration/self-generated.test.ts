import { afterAll, expect, test } from "vitest";
import { generateSamples, type SelfGeneration, sampleBytes } from "../../src/calibration/self-generated.ts";
import { nthRandom } from "../../src/linalg/random.ts";
import type { RunContext } from "../../src/run-context.ts";
import { AMPLE, openTiny, testRun } from "../helpers/run.ts";

const { model, close } = await openTiny("llama");
afterAll(close);

const request: SelfGeneration = { count: 5, length: 12, firstTokens: [1], seed: 0 };

async function samplesOf(change: Partial<SelfGeneration> = {}, over: Partial<RunContext> = {}) {
  const run = testRun(over);
  return { samples: await generateSamples(run, model, { ...request, ...change }), events: run.events };
}

test("gives so many samples of so many known tokens, telling how many are done", async () => {
  const { samples, events } = await samplesOf();
  expect(samples.map(({ length }) => length)).toEqual([12, 12, 12, 12, 12]);
  expect(samples.flat().every((id) => Number.isInteger(id) && id >= 0 && id < 96)).toBe(true);
  const stage = { type: "stage", name: "generate", total: 60 };
  expect(events).toEqual(Array.from({ length: 12 }, (_, i) => ({ ...stage, done: 5 * (i + 1) })));
});

test("the same seed gives the same text, whether the weights stay in memory or not, and however many are written together", async () => {
  const { samples } = await samplesOf();
  expect((await samplesOf()).samples).toEqual(samples);
  expect((await samplesOf({}, { memory: { ...AMPLE, weights: 0 } })).samples).toEqual(samples);
  const three = 3 * sampleBytes(model.spec, request.length, "f16");
  expect((await samplesOf({}, { memory: { ...AMPLE, caches: three } })).samples).toEqual(samples);
});

test("a neighbouring seed shares no sample", async () => {
  const known = new Set((await samplesOf()).samples.map(String));
  for (const seed of [1, 3]) {
    const { samples } = await samplesOf({ seed });
    expect(samples.filter((sample) => known.has(String(sample)))).toEqual([]);
  }
});

test("of several first tokens each sample draws its own, as its seed has it", async () => {
  const firstTokens = [3, 5, 8, 13];
  const { samples } = await samplesOf({ firstTokens });
  expect((await samplesOf({ firstTokens })).samples).toEqual(samples);
  const alone = await Promise.all(firstTokens.map(async (id) => (await samplesOf({ firstTokens: [id] })).samples[0]));
  // what a sample draws first it no longer has for what follows, so that it is none of those that draw nothing
  expect(alone).not.toContainEqual(samples[0]);
});

test("gives back memory whenever the cache of a layer has grown, 64 tokens at a time", async () => {
  let times = 0;
  const { samples } = await samplesOf({ length: 130 }, { collectGarbage: () => void times++ });
  expect(samples.map(({ length }) => length)).toEqual([130, 130, 130, 130, 130]);
  expect(times).toBe(2 * model.spec.layers.length);
});

test("stops at the signal", () => expect(samplesOf({}, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i));

test("numbers of neighbouring seeds have nothing in common", () => {
  const of = (seed: number): number[] => Array.from({ length: 50 }, (_, n) => nthRandom(seed, n).nextUint32());
  expect(new Set([...of(0), ...of(1), ...of(2)]).size).toBe(150);
});
