// How often texts use each token.
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** One text as the whole vocabulary has it. */
export interface TextUsage {
  readonly name: string;
  /** In UTF-8. */
  readonly bytes: number;
  readonly tokens: number;
  /** By id. */
  readonly counts: Uint32Array;
  readonly heldOut: HeldOutUsage;
  /** Tokens side by side, from its middle. */
  readonly excerpt: readonly number[];
}

/** A part of a text that has no say in which tokens stay, so that it tells what other text of the kind takes. */
export interface HeldOutUsage {
  readonly bytes: number;
  /** By id. */
  readonly counts: Uint32Array;
}

/** One stretch in so many is held out. */
const ONE_IN = 10;
/** Tokens of a stretch in a text of length; in a short one there are at least two that are held out. */
const STRETCH = 2048;
const LEAST_STRETCHES = 2 * ONE_IN;
/** Tokens of an excerpt. */
const EXCERPT = 128;

export function countUsage(name: string, text: string, tokenizer: Tokenizer): TextUsage {
  const ids = tokenizer.encode(text);
  const counts = new Uint32Array(tokenizer.vocabSize);
  for (const id of ids) counts[id]!++;
  const middle = Math.max(0, Math.floor((ids.length - EXCERPT) / 2));
  return {
    name,
    bytes: bytesOf(text),
    tokens: ids.length,
    counts,
    heldOut: heldOutOf(ids, tokenizer),
    excerpt: ids.slice(middle, middle + EXCERPT),
  };
}

function heldOutOf(ids: readonly number[], tokenizer: Tokenizer): HeldOutUsage {
  const counts = new Uint32Array(tokenizer.vocabSize);
  const stretch = Math.max(1, Math.min(STRETCH, Math.floor(ids.length / LEAST_STRETCHES)));
  let bytes = 0;
  for (let start = (ONE_IN - 1) * stretch; start < ids.length; start += ONE_IN * stretch) {
    const some = ids.slice(start, start + stretch);
    for (const id of some) counts[id]!++;
    bytes += bytesOf(tokenizer.decode(some));
  }
  return { bytes, counts };
}

const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

/** Counts of several texts together, each as it has them for `part`. */
export function sumCounts(texts: readonly TextUsage[], part: (text: TextUsage) => Uint32Array): Uint32Array {
  const sum = new Uint32Array(texts[0]?.counts.length ?? 0);
  for (const text of texts) for (const [id, count] of part(text).entries()) sum[id]! += count;
  return sum;
}

/** Of all that is not held out. */
export const learntCounts = ({ counts, heldOut }: TextUsage): Uint32Array =>
  counts.map((count, id) => count - heldOut.counts[id]!);
