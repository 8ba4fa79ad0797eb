// Decoding of texts whose rotary frequencies depend on how long they are: the tokens that are remembered have to follow.
import { afterAll, describe, expect, test } from "vitest";
import { CachedDecoder, type DecoderOptions } from "../../../src/forward/decode/cached-decoder.ts";
import { ResidentWeights } from "../../../src/forward/decode/resident-weights.ts";
import { greedyToken } from "../../../src/forward/decode/sample.ts";
import { type Model, openModel } from "../../../src/model/model.ts";
import { nodeBackend } from "../../../src/node/host.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { expectedLogits, readJsonFixture, tinyPath } from "../../helpers/fixtures.ts";

/** What transformers computes for texts of each length alone: make-tiny.py. */
interface Growing {
  readonly lengths: number[];
  /** After the first tokens of both windows. [lengths, 2, vocabSize] */
  readonly logits: number[][][];
  /** Both windows, the first 6 tokens given, the others the likeliest. [2, 24] */
  readonly greedy: number[][];
}

const backend = nodeBackend(1);
const opened: Model[] = [];

async function decoderOf(name: string, options?: DecoderOptions): Promise<CachedDecoder> {
  const model = await openModel(await openPath(tinyPath(name)));
  opened.push(model);
  return new CachedDecoder(backend, new ResidentWeights(model, 2 ** 30), 2, options);
}

afterAll(async () => {
  for (const model of opened) await model.checkpoint.close();
});

const columns = (rows: readonly number[][], start: number, end: number): Int32Array =>
  Int32Array.from(rows.flatMap((row) => row.slice(start, end)));

/** Original lengths: 8 for yarn and longrope, 16 for dynamic. */
describe.each(["yarn-rope", "dynamic-rope", "phi3-longrope"])("%s", (name) => {
  const { lengths, logits, greedy } = readJsonFixture<Growing>("tiny", name, "growing.json");
  const { ids } = expectedLogits(name);

  test("in steps that end before and beyond the original length, logits are those of the text so far", async () => {
    const decoder = await decoderOf(name);
    for (const [i, end] of lengths.entries()) {
      const start = lengths[i - 1] ?? 0;
      const last = await decoder.step(columns(ids, start, end), end - start);
      const largest = Math.max(...logits[i]!.flat().map(Math.abs));
      logits[i]!.flat().forEach((value, at) => {
        expect(Math.abs(last[at]! - value) / largest, `length ${end}`).toBeLessThan(1e-3);
      });
    }
    await decoder.release();
  });

  test("greedy texts go on as without a cache", async () => {
    const decoder = await decoderOf(name);
    const texts = greedy.map((text) => text.slice(0, 6));
    for (let length = 6, start = 0; length < 24; start = length++) {
      const last = await decoder.step(columns(texts, start, length), length - start);
      for (const [i, text] of texts.entries()) {
        const size = last.length / texts.length;
        text.push(greedyToken(last.subarray(i * size, (i + 1) * size)));
      }
    }
    expect(texts).toEqual(greedy);
    await decoder.release();
  });
});

/** Plain attention, windows, and keys and values beside states of another mixer. */
describe.each(["llama", "gemma3", "qwen3.5"])("%s with keys and values in f16", (name) => {
  test("gives transformers' logits, off by no more than f16's rounding of half in a thousand", async () => {
    const { ids, shape, logits } = expectedLogits(name);
    const [, length, vocabSize] = shape as [number, number, number];
    const largest = Math.max(...logits.map(Math.abs));
    const [rounded, whole] = await Promise.all([decoderOf(name, { cacheType: "f16" }), decoderOf(name)]);
    for (let at = 0; at < length; at++) {
      const next = columns(ids, at, at + 1);
      const [own, exact] = [Float32Array.from(await rounded.step(next, 1)), await whole.step(next, 1)];
      const expected = ids.flatMap((_, i) =>
        logits.slice((i * length + at) * vocabSize, (i * length + at + 1) * vocabSize),
      );
      expected.forEach((value, i) => {
        expect(Math.abs(own[i]! - value) / largest).toBeLessThan(2e-3);
      });
      expect(own).not.toEqual(exact);
    }
    await Promise.all([rounded.release(), whole.release()]);
  });
});
