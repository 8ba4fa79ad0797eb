// pruning.json of a pruned folder: enough to repeat the run and to map every kept neuron back to the source.
import { baseName } from "../checkpoint/base-name.ts";
import type { PruneResult } from "../events/prune.ts";
import { VERSION } from "../version.ts";

/** Renders the record of one run; arrays of indices stand on one line each. */
export function renderPruningJson(result: PruneResult): string {
  const { fingerprint, model, output: _, files: __, ...figures } = result;
  const record = { comp: VERSION, source: { name: baseName(model), fingerprint }, ...figures };
  const text = JSON.stringify(record, null, 2);
  return `${text.replace(/\[[-\d,\s]+\]/g, (list) => list.replace(/\s+/g, " "))}\n`;
}
