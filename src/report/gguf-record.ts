// The record of a run in the header of a GGUF file, under keys of our own. The header comes before the weights: it says what
// the file was made from and how, which repeats the run; figures and kept indices, known at the end, are not in it.

import { baseName } from "../checkpoint/base-name.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { ggufValue } from "../checkpoint/gguf-bytes.ts";
import type { GgufMetadata } from "../checkpoint/write-gguf.ts";
import type { CalibrationSummary } from "../events/common.ts";
import type { PruneOptions } from "../options/prune.ts";
import { VERSION } from "../version.ts";
import { licenceOf } from "./model-card.ts";

/** What is decided before the first layer is pruned. */
export interface Decisions {
  readonly options: PruneOptions;
  readonly calibration: CalibrationSummary;
  /** Indices in the source model. */
  readonly keptLayers: readonly number[];
}

/** Keys `comp.*`, and the licence of a folder's model card under the keys that llama.cpp has for it. */
export async function ggufRecord(
  source: Checkpoint,
  { options: { calibration: _, ...options }, calibration, keptLayers }: Decisions,
): Promise<GgufMetadata> {
  return new Map([
    ...licenceOf(await source.readText("README.md")).map(licenceEntry),
    ["comp.version", ggufValue("string", VERSION)],
    ["comp.source.name", ggufValue("string", baseName(source.name))],
    ["comp.source.fingerprint", ggufValue("string", await source.fingerprint())],
    ["comp.source.layers", ggufValue("i32", keptLayers)],
    ["comp.options", ggufValue("string", JSON.stringify(options))],
    ["comp.calibration", ggufValue("string", JSON.stringify(calibration))],
  ]);
}

/** `license_link: x` of a model card is `general.license.link`. */
function licenceEntry(line: string): [string, Uint8Array] {
  const [, field, value] = /^(\w+): *(.*)$/.exec(line)!;
  return [`general.${field!.replace("_", ".")}`, ggufValue("string", value!.trim())];
}
