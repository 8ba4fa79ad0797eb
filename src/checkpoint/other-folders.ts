// Folders that are given for models and are none: adapters, download caches, weights of other frameworks. Each is told what it is.
import { CompError } from "../errors.ts";
import { readText } from "./folder-files.ts";
import { ggufModels } from "./gguf-split.ts";
import { parseJson } from "./json.ts";
import type { SourceFolder } from "./storage.ts";

const ADAPTER = "adapter_config.json";
const ADAPTER_WEIGHTS = /^adapter_model\b.*\.(safetensors|bin)$/;
/** Folders of a cache of Hugging Face: one for each model, in it one for each revision. */
const CACHED_MODEL = /^models--/;
const SNAPSHOTS = "snapshots";
/** How many names a hint lists. */
const LISTED = 3;

/** Weights that are not safetensors, and how one comes to those. */
const OTHER_WEIGHTS: readonly (readonly [file: RegExp, hint: string])[] = [
  [
    /^(pytorch_model|consolidated).*\.(bin|pth?)$/,
    "convert the PyTorch weights to safetensors first: save_pretrained of transformers does",
  ],
  [/\.(bin|pth?|ckpt)$/, "convert the PyTorch weights to safetensors first: save_pretrained of transformers does"],
  [
    /\.h5$/,
    "convert the TensorFlow weights to safetensors first: from_tf=True and save_pretrained of transformers 4 do",
  ],
  [
    /\.msgpack$/,
    "convert the Flax weights to safetensors first: from_flax=True and save_pretrained of transformers 4 do",
  ],
  [/\.onnx$/, "give the model that the ONNX file was made from"],
];

/** @throws {CompError} "checkpoint" for an adapter without the model that it changes */
export async function checkNoAdapter(folder: SourceFolder, files: readonly string[]): Promise<void> {
  const weights = files.filter((file) => /\.(safetensors|bin)$/.test(file) && file !== "training_args.bin");
  if (!files.includes(ADAPTER) || !weights.every((file) => ADAPTER_WEIGHTS.test(file))) return;
  const config = parseJson(await readText(folder, ADAPTER), `${folder.name}/${ADAPTER}`);
  const base = (config as { base_model_name_or_path?: unknown } | null)?.base_model_name_or_path;
  const model = typeof base === "string" && base !== "" ? base : "its base model";
  throw new CompError("checkpoint", `${folder.name} is a LoRA adapter, not a model`, {
    hint: `merge it into ${model} first: merge_and_unload of peft does`,
  });
}

/** What a folder without safetensors is instead. */
export async function whyNoCheckpoint(folder: SourceFolder, files: readonly string[]): Promise<CompError> {
  const { name } = folder;
  const subfolders = await folder.subfolders();
  if (subfolders.includes(SNAPSHOTS)) return cacheRoot(folder);
  const cached = subfolders.filter((subfolder) => CACHED_MODEL.test(subfolder));
  if (cached.length > 0)
    return new CompError("checkpoint", `${name} is a download cache, not a model`, {
      hint: `give one of the snapshots in it: ${oneOf(cached.map((model) => `${name}/${model}/${SNAPSHOTS}/…`))}`,
    });
  const found = await modelsIn(folder, files, subfolders);
  const what = files.length + subfolders.length === 0 ? "is empty" : "has no *.safetensors";
  if (found.length > 0) return new CompError("checkpoint", `${name} ${what}`, { hint: `give ${oneOf(found)}` });
  for (const [pattern, hint] of OTHER_WEIGHTS) {
    const file = files.find((candidate) => pattern.test(candidate));
    if (file !== undefined) return new CompError("checkpoint", `${name} ${what}, only ${file}`, { hint });
  }
  return new CompError("checkpoint", `${name} ${what}`, {
    hint: "give a folder with config.json and *.safetensors, or a .gguf file",
  });
}

/** The revision that refs/main names is the current one. */
async function cacheRoot(folder: SourceFolder): Promise<CompError> {
  const { name } = folder;
  const revisions = await folder.subfolders(SNAPSHOTS);
  const hasMain = (await folder.subfolders()).includes("refs") && (await folder.list("refs")).includes("main");
  const main = hasMain ? (await readText(folder, "refs/main")).trim() : undefined;
  const current = revisions.filter((revision) => revision === main);
  const paths = (current.length > 0 ? current : revisions).map((revision) => `${name}/${SNAPSHOTS}/${revision}`);
  return new CompError("checkpoint", `${name} is the root of a download cache; a model of it is in ${SNAPSHOTS}/`, {
    hint: paths.length === 0 ? `download it again: ${SNAPSHOTS}/ is empty` : `give ${oneOf(paths)}`,
  });
}

/** GGUF files of a folder, and the models in its subfolders. */
async function modelsIn(
  folder: SourceFolder,
  files: readonly string[],
  subfolders: readonly string[],
): Promise<string[]> {
  const found = ggufModels(files).map((file) => `the GGUF file itself: ${file}`);
  for (const subfolder of subfolders) {
    const own = await folder.list(subfolder).catch((): string[] => []); // one that may not be read is no help
    if (own.includes("config.json") && own.some((file) => file.endsWith(".safetensors")))
      found.push(`${folder.name}/${subfolder}`);
  }
  return found;
}

const oneOf = (names: readonly string[]): string =>
  names.slice(0, LISTED).join(" or ") + (names.length > LISTED ? " or another" : "");
