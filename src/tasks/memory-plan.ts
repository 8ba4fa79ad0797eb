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
  layerBytes,
  leastBytes,
  ownWindows,
  streamBytes,
  streamCount,
  type Work,
  weightBytes,
} from "./memory-needs.ts";
import { pruningOperations, readingOperations } from "./operation-counts.ts";

/** Keys and values of samples that are decoded together from weights in memory, enough for all 72 of SmolLM2-135M's default. */
const MOST_CACHE_BYTES = 408 * 2 ** 20;

/** What decoding with weights that are read for each token may take of the rest of a run, where nobody has asked for it. */
const READING_SHARE = 1 / 2;

/** More than this that is put aside waits on the disk: a small model's needs no disk, and a large model's hardly any more memory. */
const MOST_ASIDE_BYTES = 480 * 2 ** 20;

/** Of what is free, where no limit is given; the rest is for others. */
const SHARE = 0.5;
/** And no more than this, which is more than most models can use. */
const MOST_BYTES = 4e9;

/** Of a run that prunes nothing. */
const NOTHING: MemoryShares = { wholeLayers: true, states: 0, aside: 0, ownText: "none", weights: 0, caches: 0 };

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
  if (work.copies) return { ...NOTHING, expectedPeakBytes: least };
  const wholeLayers = leastBytes(work, true) <= budget;
  const needed = leastBytes(work, wholeLayers);
  // the calibrated and the dense stream, both or none
  const states = 2 * streamBytes(work) <= budget - needed ? streamBytes(work) : 0;
  const decoding = shareDecoding(work, budget, limitBytes ?? SHARE * freeBytes);
  const swept = needed + streamCount(work) * states;
  const { entered, factors, sums } = asideBytes(work);
  const aside = Math.min(MOST_ASIDE_BYTES, Math.max(entered, factors + sums), Math.max(0, budget - swept));
  const expectedPeakBytes = Math.max(swept + aside, keptInDecoding(work, decoding));
  return { wholeLayers, states, aside, ...decoding, expectedPeakBytes };
}

function tooLittle(limitBytes: number, least: number): CompError {
  const enough = `${(Math.ceil(least / 1e8) / 10).toFixed(1)}GB`;
  const message = `pruning this model as asked takes at least ${formatBytes(least)} of memory, --memory allows ${formatBytes(limitBytes)}`;
  return new CompError("budget", message, { hint: `give --memory ${enough}` });
}

type DecodingShares = Pick<MemoryShares, "ownText" | "weights" | "caches">;

/** Weights come first, and what they leave is for keys and values; where they do not fit, all but a layer is for these. */
function shareDecoding(work: Work, budget: number, most: number): DecodingShares {
  const room = Math.max(0, budget - decodingBytes(work));
  const [sample, samples] = [cacheBytes(work, 1), ownWindows(work)];
  const weights = Math.min(most, Math.max(0, room - sample));
  const held = weightBytes(work.spec);
  if (samples === 0)
    return { ownText: "none", weights: work.probes === true && held <= weights ? weights : 0, caches: 0 };
  if (held <= weights) return { ownText: "held", weights, caches: Math.min(MOST_CACHE_BYTES, room - held) };
  const together = Math.min(samples, Math.floor((room - layerBytes(work)) / sample));
  if (together < 1) return { ownText: "none", weights: 0, caches: 0 };
  const isWorthIt = readingOperations(work, together) <= READING_SHARE * pruningOperations(work);
  return { ownText: work.asksOwnText || isWorthIt ? "read" : "none", weights: 0, caches: together * sample };
}

/** What decoding takes in all; nothing where the model writes nothing, neither to be calibrated on nor for the probes. */
function keptInDecoding(work: Work, { ownText, weights, caches }: DecodingShares): number {
  if (ownText === "none" && weights === 0) return 0;
  const read = ownText === "read" ? layerBytes(work) : weightBytes(work.spec);
  return decodingBytes(work) + read + Math.min(caches, cacheBytes(work, ownWindows(work)));
}
