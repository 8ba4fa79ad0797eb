import { expect, test } from "vitest";
import { generateSamples } from "../../src/calibration/self-generated.ts";
import { nthRandom } from "../../src/linalg/random.ts";
import { openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/backend.ts";
import { collectGarbage } from "../../src/node/collect-garbage.ts";
import { openPath } from "../../src/node/open-path.ts";
import { tinyPath } from "../helpers/fixtures.ts";

const backend = nodeBackend(1);
const model = await openModel(await openPath(tinyPath("llama")));
const request = { count: 5, length: 12, firstToken: 1, seed: 0, budgetBytes: 2 ** 30, collectGarbage };

async function samplesOf(change: Partial<typeof request> & { signal?: AbortSignal } = {}) {
  const progress: number[] = [];
  const samples = generateSamples(backend, model, { ...request, ...change });
  for (;;) {
    const step = await samples.next();
    if (step.done) return { samples: step.value, progress };
    progress.push(step.value);
  }
}

test("gives so many samples of so many known tokens, telling how many are done", async () => {
  const { samples, progress } = await samplesOf();
  expect(samples.map(({ length }) => length)).toEqual([12, 12, 12, 12, 12]);
  expect(samples.flat().every((id) => Number.isInteger(id) && id >= 0 && id < 96)).toBe(true);
  expect(progress).toEqual(Array.from({ length: 12 }, (_, i) => 5 * (i + 1)));
});

test("the same seed gives the same text, whether the weights stay in memory or not", async () => {
  const { samples } = await samplesOf();
  expect((await samplesOf()).samples).toEqual(samples);
  expect((await samplesOf({ budgetBytes: 0 })).samples).toEqual(samples);
});

test("a neighbouring seed shares no sample", async () => {
  const known = new Set((await samplesOf()).samples.map(String));
  for (const seed of [1, 3]) {
    const { samples } = await samplesOf({ seed });
    expect(samples.filter((sample) => known.has(String(sample)))).toEqual([]);
  }
});

test("gives back memory whenever the cache of a layer has grown, 64 tokens at a time", async () => {
  let times = 0;
  const { samples } = await samplesOf({
    length: 130,
    collectGarbage: () => {
      times++;
    },
  });
  expect(samples.map(({ length }) => length)).toEqual([130, 130, 130, 130, 130]);
  expect(times).toBe(2 * model.spec.layers.length);
});

test("stops at the signal", () => expect(samplesOf({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/i));

test("numbers of neighbouring seeds have nothing in common", () => {
  const of = (seed: number): number[] => Array.from({ length: 50 }, (_, n) => nthRandom(seed, n).nextUint32());
  expect(new Set([...of(0), ...of(1), ...of(2)]).size).toBe(150);
});
