// What of the memory goes to what. Batches and tiles have fixed sizes, so that sums and hence the result are the same whatever there
// is; what the budget decides is whether hidden states and what is put aside stay in memory or wait on the disk, and whether the
// model writes text of its own.
import { CompError } from "../errors.ts";
import { formatBytes } from "../report/format.ts";
import type { MemoryShares } from "../run-context.ts";
import {
  asideBytes,
  cacheBytes,
  decodingBytes,
  leastBytes,
  ownWindows,
  streamBytes,
  streamCount,
  type Work,
  weightBytes,
} from "./memory-needs.ts";

/** Keys and values of samples that are decoded together: more samples would make decoding little faster. */
const MOST_CACHE_BYTES = 432 * 2 ** 20;

/** More than this that is put aside waits on the disk: a small model's needs no disk, and a large model's hardly any more memory. */
const MOST_ASIDE_BYTES = 480 * 2 ** 20;

/** Of what is free, where no limit is given; the rest is for others. */
const SHARE = 0.5;
/** And no more than this, which is more than most models can use. */
const MOST_BYTES = 4e9;
/** Weights that are held for decoding where no limit is given: what a model writes should not depend on the machine. */
const MOST_WEIGHT_BYTES = 2 ** 30;

/** A budget shared out. */
export interface MemoryPlan extends MemoryShares {
  /** Bytes of resident memory at their highest. */
  readonly expectedPeakBytes: number;
}

/**
 * Shares out the memory of a run.
 *
 * @param limitBytes what a run is held to; undefined: a share of what is free, and at least what suffices
 * @throws {CompError} "budget" when the limit does not suffice
 */
export function planMemory(work: Work, limitBytes: number | undefined, freeBytes: number): MemoryPlan {
  const least = leastBytes(work);
  if (limitBytes !== undefined && limitBytes < least) throw tooLittle(limitBytes, least);
  const budget = limitBytes ?? Math.max(least, Math.min(MOST_BYTES, SHARE * freeBytes));
  if (work.copies) return { states: 0, aside: 0, weights: 0, caches: 0, expectedPeakBytes: least };
  // the calibrated and the dense stream, both or none
  const states = 2 * streamBytes(work) <= budget - least ? streamBytes(work) : 0;
  const mostWeights = limitBytes ?? Math.min(MOST_WEIGHT_BYTES, SHARE * freeBytes);
  const decoding = shareDecoding(work, budget, mostWeights);
  const swept = least + streamCount(work) * states;
  const { entered, factors } = asideBytes(work);
  const aside = Math.min(MOST_ASIDE_BYTES, Math.max(entered, factors), Math.max(0, budget - swept));
  const expectedPeakBytes = Math.max(swept + aside, keptInDecoding(work, decoding));
  return { states, aside, ...decoding, expectedPeakBytes };
}

function tooLittle(limitBytes: number, least: number): CompError {
  const enough = `${(Math.ceil(least / 1e8) / 10).toFixed(1)}GB`;
  const message = `pruning this model as asked takes at least ${formatBytes(least)} of memory, --memory allows ${formatBytes(limitBytes)}`;
  return new CompError("budget", message, { hint: `give --memory ${enough}` });
}

/** Weights come first; what they leave is for keys and values, of one sample at least. */
function shareDecoding(work: Work, budget: number, most: number): Pick<MemoryShares, "weights" | "caches"> {
  const room = Math.max(0, budget - decodingBytes(work));
  const weights = Math.min(most, Math.max(0, room - cacheBytes(work, 1)));
  return { weights, caches: Math.min(MOST_CACHE_BYTES, Math.max(0, room - weightBytes(work.spec))) };
}

/** What decoding takes in all; nothing where the model writes nothing. */
function keptInDecoding(work: Work, { weights, caches }: Pick<MemoryShares, "weights" | "caches">): number {
  const samples = ownWindows(work);
  if (samples === 0 || weightBytes(work.spec) > weights) return 0;
  return decodingBytes(work) + weightBytes(work.spec) + Math.min(caches, cacheBytes(work, samples));
}
