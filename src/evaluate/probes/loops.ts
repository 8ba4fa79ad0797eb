// Greedy text of the model's own, and how much of it goes round in circles: what a model that was cut too deep does first.
import type { Backend } from "../../compute/backend.ts";
import { CachedDecoder } from "../../forward/decode/cached-decoder.ts";
import type { ResidentWeights } from "../../forward/decode/resident-weights.ts";
import { greedyToken } from "../../forward/decode/sample.ts";
import { nthRandom } from "../../linalg/random.ts";
import { pickSeveral } from "./probe.ts";

/** So many tokens in a row, seen before in the same text, are a repetition. */
const RUN = 4;

const BEGINNINGS = [
  "When the old man opened the door, he saw",
  "The most important thing about a garden is",
  "In the year that the bridge was built, the town",
  "My grandmother used to tell us a story about",
  "To bake a good loaf of bread you first need",
  "The ship left the harbour at dawn, and nobody",
  "A good teacher knows that every child in class",
  "Two friends walked along the river until they",
  "The history of the city begins with a small",
  "She had never been afraid of the dark, but",
  "On the last day of summer the whole family",
  "Scientists who study the weather have found that",
  "There was once a king who had three daughters",
  "If you travel through the mountains in winter, you",
  "The letter arrived on a Monday morning and it",
  "Nobody in the village could say where the stranger",
];

/** Beginnings of texts, some of ours by the seed. */
export const loopBeginnings = (seed: number, count: number): string[] =>
  pickSeveral(nthRandom(seed, -1), BEGINNINGS, Math.min(count, BEGINNINGS.length));

export interface GreedyRequest {
  /** Token ids, at least one each. */
  readonly beginnings: readonly (readonly number[])[];
  /** What stands before each of them, where the tokenizer adds it. */
  readonly bosTokenId: number | undefined;
  /** Tokens of each continuation. */
  readonly count: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Greedy continuations, all of them side by side, of as many tokens as of the shortest beginning: the last ones of each.
 *
 * @returns the ids that follow, [count] each
 */
export async function greedyTexts(
  backend: Backend,
  weights: ResidentWeights,
  { beginnings, bosTokenId, count, signal }: GreedyRequest,
): Promise<number[][]> {
  const { vocabSize } = weights.model.spec;
  const length = Math.min(...beginnings.map((ids) => ids.length));
  const before = bosTokenId === undefined ? [] : [bosTokenId];
  const decoder = new CachedDecoder(backend, weights, beginnings.length);
  const texts: number[][] = beginnings.map(() => []);
  try {
    let next = Int32Array.from(beginnings.flatMap((ids) => [...before, ...ids.slice(ids.length - length)]));
    for (let i = 0; i < count; i++) {
      signal?.throwIfAborted();
      const logits = await decoder.step(next, next.length / beginnings.length);
      const row = (at: number): Float32Array => logits.subarray(at * vocabSize, (at + 1) * vocabSize);
      next = Int32Array.from(texts, (_, at) => greedyToken(row(at)));
      for (const [at, text] of texts.entries()) text.push(next[at]!);
    }
    return texts;
  } finally {
    await decoder.release();
  }
}

/** Share of the runs of four tokens that have not stood in the same text before: 1 where nothing is repeated. */
export function freshShare(ids: readonly number[]): number {
  const runs = ids.slice(RUN - 1).map((_, i) => ids.slice(i, i + RUN).join(" "));
  return runs.length === 0 ? 1 : new Set(runs).size / runs.length;
}
