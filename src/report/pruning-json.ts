// pruning.json of a pruned folder: enough to repeat the run and to map every kept neuron back to the source.
import type { PruneResult } from "../events.ts";
import { VERSION } from "../version.ts";

/** Renders the record of one run; arrays of indices stand on one line each. */
export function renderPruningJson(result: PruneResult): string {
  const { fingerprint, model, output: _, files: __, ...figures } = result;
  const record = { comp: VERSION, source: { name: sourceName(model), fingerprint }, ...figures };
  const text = JSON.stringify(record, null, 2);
  return `${text.replace(/\[[-\d,\s]+\]/g, (list) => list.replace(/\s+/g, " "))}\n`;
}

/** The last part of a path: what a published folder may say of where its source lay. */
export const sourceName = (model: string): string =>
  model
    .replace(/[\\/]+$/, "")
    .split(/[\\/]/)
    .at(-1)!;
