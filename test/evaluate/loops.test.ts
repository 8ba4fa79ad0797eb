import { expect, test } from "vitest";
import { freshShare, greedyTexts, loopBeginnings } from "../../src/evaluate/probes/loops.ts";
import { generateTokens } from "../../src/forward/decode/generate.ts";
import { ResidentWeights } from "../../src/forward/decode/resident-weights.ts";
import { nodeBackend } from "../../src/node/host.ts";
import { tinyPath } from "../helpers/fixtures.ts";
import { withModel } from "../helpers/written.ts";

test.each([undefined, 7])("the texts are those of one prompt at a time, BOS %s before each", async (bosTokenId) => {
  const beginnings = [
    [5, 9, 3],
    [11, 4, 8, 2, 6],
  ]; // of the longer one the last three
  await withModel(tinyPath("llama"), async (model) => {
    const backend = nodeBackend(1);
    const weights = new ResidentWeights(model, 2 ** 30);
    const texts = await greedyTexts(backend, weights, { beginnings, bosTokenId, count: 6 });
    for (const [i, ids] of beginnings.entries()) {
      const prompt = [...(bosTokenId === undefined ? [] : [bosTokenId]), ...ids.slice(-3)];
      const alone: number[] = [];
      const request = { prompt, maxTokens: 6, temperature: 0, stopTokens: [], random: () => 0, budgetBytes: 2 ** 30 };
      await generateTokens(backend, model, request, (id) => alone.push(id));
      expect(texts[i]).toEqual(alone);
    }
  });
});

test("what repeats itself is no longer fresh", () => {
  expect(freshShare([1, 2, 3, 4, 5, 6, 7, 8])).toBe(1);
  expect(freshShare([1, 1, 1, 1, 1, 1, 1])).toBe(1 / 4);
  expect(freshShare([1, 2, 1, 2, 1, 2, 1, 2])).toBe(2 / 5);
  expect(freshShare([1, 2])).toBe(1);
});

test("beginnings are chosen by the seed, none twice", () => {
  expect(loopBeginnings(3, 8)).toEqual(loopBeginnings(3, 8));
  expect(loopBeginnings(3, 8)).not.toEqual(loopBeginnings(4, 8));
  expect(new Set(loopBeginnings(3, 16)).size).toBe(16);
});
