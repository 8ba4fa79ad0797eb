// The one way in which a step of a run uses the cache: it says what it computes, of what, and how.
import type { Scratch } from "../forward/run/scratch.ts";
import type { Model } from "../model/model.ts";
import { VERSION } from "../version.ts";
import type { Cache, Entry, EntryKey, FindingName } from "./cache.ts";

export interface Finding {
  readonly name: FindingName;
  readonly model: Model;
  /** All that it depends on besides the model: plain data, typed arrays included. */
  readonly of: Readonly<Record<string, unknown>>;
}

/** How a finding is taken apart, and put together again. */
export interface Form<T> {
  apart(finding: T): Entry;
  /** Of an entry that `apart` has made. */
  together(entry: Entry): T;
}

/** Of what is plain data as a whole. */
const plain: Form<unknown> = { apart: (data) => ({ data, arrays: [] }), together: ({ data }) => data };

/** What of a run this takes. */
export interface Remembering {
  readonly cache: Cache;
  readonly scratch: Scratch;
  report(event: { readonly type: "warning"; readonly message: string }): void;
}

/**
 * A finding from the cache or, where the cache does not have it, computed and kept. Both are the same to the bit.
 *
 * @param form where a finding is more than plain data
 */
export async function remembered<T>(
  { cache, scratch, report }: Remembering,
  finding: Finding,
  compute: () => Promise<T>,
  form: Form<T> = plain as Form<T>,
): Promise<T> {
  const key = await keyOf(finding);
  const known = await cache.recall(key, scratch);
  if (known) return form.together(known);
  const found = await compute();
  const message = await cache.keep(key, form.apart(found));
  if (message !== undefined) report({ type: "warning", message });
  return found;
}

/** The fingerprint leaves out config.json, by which the weights are understood. */
async function keyOf({ name, model: { checkpoint, config }, of }: Finding): Promise<EntryKey> {
  const all = { version: VERSION, fingerprint: await checkpoint.fingerprint(), config, of };
  return { finding: name, model: checkpoint.name, of: JSON.stringify(all, asText) };
}

/** What JSON has no words for: typed arrays, and whole numbers beyond the exact ones. */
function asText(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value;
}
