// What has been found out about a model and is kept from run to run, so that nothing is computed twice. A cache is never a reason
// to fail: what cannot be had from it is computed, what cannot be kept is let go.
import type { Scratch, StoredArray } from "../forward/run/scratch.ts";

/** What is kept. */
export type FindingName =
  | "own-text"
  | "layer-importance"
  | "neuron-ranking"
  | "weight-sensitivities"
  | "fisher-factors"
  | "costs"
  | "dense-states"
  | "dense-sums"
  | "probes";

/** What names an entry. */
export interface EntryKey {
  readonly finding: FindingName;
  /** Path or other name of the model, for who looks into the cache; it does not tell entries apart. */
  readonly model: string;
  /** Everything that the finding depends on, as text; the same text is the same finding. */
  readonly of: string;
}

/** A finding, taken apart into what fits into memory and what comes one after the other. */
export interface Entry {
  /** Plain data: numbers, strings, lists, objects, maps and typed arrays. */
  readonly data: unknown;
  readonly arrays: readonly StoredArray[];
}

/** Entries by their keys, shared with other runs. */
export interface Cache {
  /** An entry as it was kept, its arrays put into the scratch space; undefined where there is none, or only a damaged one. */
  recall(key: EntryKey, scratch: Scratch): Promise<Entry | undefined>;
  /** Keeps an entry, if there is room. @returns why that was not possible, the first time; undefined when nothing is to be told */
  keep(key: EntryKey, entry: Entry): Promise<string | undefined>;
}

/** Keeps nothing. */
export const NO_CACHE: Cache = { recall: async () => undefined, keep: async () => undefined };
