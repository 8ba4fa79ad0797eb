// The files of a pruned folder that are not weights.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { Output } from "../checkpoint/storage.ts";
import type { PruneResult } from "../events/prune.ts";
import type { ModelConfig } from "../model/config/config-fields.ts";
import { familyOf } from "../model/config/parse-config.ts";
import { MODELING_FILE, renderModelingFile } from "../model/write/modeling-file.ts";
import { renderConfig } from "../model/write/pruned-config.ts";
import { tokenizerFiles } from "../tokenizer/tokenizer-files.ts";
import { renderModelCard } from "./model-card.ts";
import { renderPruningJson } from "./pruning-json.ts";

/** Writes config.json and copies what belongs to the model: tokenizer, chat template, generation settings. Returns the names. */
export async function writeCompanions(output: Output, source: Checkpoint, config: ModelConfig): Promise<string[]> {
  const files = new Map([["config.json", renderConfig(config)], ...(await tokenizerFiles(source))]);
  const generation = await source.readText("generation_config.json");
  if (generation !== undefined) files.set("generation_config.json", generation);
  if (config.auto_map !== undefined) files.set(MODELING_FILE, renderModelingFile(familyOf(config)));
  for (const [name, text] of files) await writeText(output, name, text);
  return [...files.keys(), "README.md", "pruning.json"];
}

/** Writes the model card and the record of the run. */
export async function writeReport(output: Output, source: Checkpoint, result: PruneResult): Promise<void> {
  await writeText(output, "README.md", renderModelCard(result, await source.readText("README.md")));
  await writeText(output, "pruning.json", renderPruningJson(result));
}

async function writeText(output: Output, name: string, text: string): Promise<void> {
  const sink = await output.create(name);
  await sink.write(0, new TextEncoder().encode(text));
  await sink.close();
}
