// What a run writes beside the weights: in a folder the files that the model needs, its card, and the record of the run; in a
// GGUF file, whose header comes before the weights, the record under keys of our own.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { ggufValue } from "../checkpoint/gguf-bytes.ts";
import { baseName, type Output } from "../checkpoint/storage.ts";
import type { GgufMetadata } from "../checkpoint/write-gguf.ts";
import type { CalibrationSummary } from "../events/common.ts";
import type { PruneResult } from "../events/prune.ts";
import type { VocabularyResult } from "../events/vocabulary.ts";
import type { ModelConfig } from "../model/config/config-fields.ts";
import { parseConfig } from "../model/config/parse-config.ts";
import { familyOf } from "../model/families/index.ts";
import type { LayerIndex } from "../model/spec/layer-index.ts";
import { textConfig } from "../model/surroundings.ts";
import { wholeClass } from "../model/write/base-class.ts";
import { CARD, copyCompanions, RECORD } from "../model/write/companions.ts";
import { MODELING_FILE, needsModelingFile, renderModelingFile } from "../model/write/modeling-file.ts";
import { renderConfig } from "../model/write/pruned-config.ts";
import type { RecordedOptions } from "../options/prune.ts";
import { tokenizerFiles } from "../tokenizer/gguf/from-gguf.ts";
import { VERSION } from "../version.ts";
import { licenceOf, renderModelCard } from "./model-card.ts";

/**
 * Writes config.json and what belongs to the model: of a folder all that is no weight, of a GGUF file the tokenizer. Returns
 * the names.
 */
export async function writeCompanions(output: Output, source: Checkpoint, config: ModelConfig): Promise<string[]> {
  const stated = await source.readText("config.json");
  const made: [string, string | Uint8Array][] = [["config.json", renderConfig(config, stated)]];
  if (needsModelingFile(config)) made.push([MODELING_FILE, modelingFile(config)]);
  if (source.folder === undefined) made.push(...tokenizerFiles(source));
  for (const [name, content] of made) await writeFile(output, name, content);
  return [...made.map(([name]) => name), ...(await copyCompanions(output, source)), CARD, RECORD];
}

function modelingFile(config: ModelConfig): string {
  const text = textConfig(config);
  const [stated, family] = [text ?? config, familyOf(text ?? config)];
  return renderModelingFile(family, parseConfig(stated), text && wholeClass(config, family));
}

/** Writes the model card and the record of the run. */
export async function writeReport(output: Output, source: Checkpoint, result: PruneResult): Promise<void> {
  await writeFile(output, CARD, renderModelCard(result, await source.readText(CARD)));
  await writeFile(output, RECORD, renderPruningJson(result));
}

/**
 * pruning.json: enough to repeat the run and to map every kept neuron back to the source. Arrays of indices stand on one line
 * each.
 */
export function renderPruningJson(result: PruneResult): string {
  const { fingerprint, model, output: _, files: __, ...figures } = result;
  const record = { comp: VERSION, source: { name: baseName(model), fingerprint }, ...figures };
  const text = JSON.stringify(record, null, 2);
  return `${text.replace(/\[[-\d,\s]+\]/g, (list) => list.replace(/\s+/g, " "))}\n`;
}

async function writeFile(output: Output, name: string, content: string | Uint8Array): Promise<void> {
  const sink = await output.create(name);
  await sink.write(0, typeof content === "string" ? new TextEncoder().encode(content) : content);
  await sink.close();
}

/** What is decided before the first layer is pruned. */
export interface Decisions {
  readonly options: RecordedOptions;
  /** Absent where nothing is removed. */
  readonly calibration?: CalibrationSummary | undefined;
  /** Absent where all tokens stay. */
  readonly vocabulary?: VocabularyResult | undefined;
  /** Indices in the source model. */
  readonly keptLayers: readonly LayerIndex[];
}

/**
 * Keys `comp.*`, and the licence of a folder's model card under the keys that llama.cpp has for it. They say what the file was
 * made from and how, which repeats the run; figures and kept indices, known at the end, are not among them.
 */
export async function ggufRecord(
  source: Checkpoint,
  { options, calibration, vocabulary, keptLayers }: Decisions,
): Promise<GgufMetadata> {
  return new Map([
    ...licenceOf(await source.readText("README.md")).map(licenceEntry),
    ["comp.version", ggufValue("string", VERSION)],
    ["comp.source.name", ggufValue("string", baseName(source.name))],
    ["comp.source.fingerprint", ggufValue("string", await source.fingerprint())],
    ["comp.source.layers", ggufValue("i32", keptLayers)],
    ["comp.options", ggufValue("string", JSON.stringify(options))],
    ...jsonEntry("calibration", calibration),
    ...jsonEntry("vocabulary", vocabulary),
  ]);
}

const jsonEntry = (name: string, value: object | undefined): [string, Uint8Array][] =>
  value === undefined ? [] : [[`comp.${name}`, ggufValue("string", JSON.stringify(value))]];

/** `license_link: x` of a model card is `general.license.link`. */
function licenceEntry(line: string): [string, Uint8Array] {
  const [, field, value] = /^(\w+): *(.*)$/.exec(line)!;
  return [`general.${field!.replace("_", ".")}`, ggufValue("string", value!.trim())];
}
