// The files of a model folder beside its weights: tokenizer, chat templates, settings, licences, code. They go along with a model
// that is made of it, byte for byte.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { checkReadable, copyFile } from "../../checkpoint/folder-files.ts";
import type { Output } from "../../checkpoint/storage.ts";
import { MODELING_FILE } from "./modeling-file.ts";

/** Our own description of what was done, for people and for programs. */
export const CARD = "README.md";
export const RECORD = "pruning.json";

/** What is made anew, whatever the source has. In lower case: some file systems make no difference. */
const MADE_ANEW: readonly string[] = ["config.json", MODELING_FILE, CARD, RECORD].map((name) => name.toLowerCase());
/** Weights of any framework, their indices, and the states of an optimizer. */
const WEIGHTS =
  /\.(safetensors|bin|pth?|ckpt|gguf|ggml|h5|msgpack|onnx|onnx_data\w*|tflite|mlmodel|npz|pkl|ot|nemo)$|\.index\.json$/i;
/** The configuration of consolidated.*, whose sizes are those of weights that are left behind. */
const OTHER_FORMAT = "params.json";
/** What belongs to one repository or download, such as .gitattributes and .cache. */
const HIDDEN = /^\./;
/** Subfolders that belong to a model; any other may hold a model, a training run or data of its own. */
const SUBFOLDERS = /^(additional_chat_templates|custom_generate|licen[cs]es?)$/i;
const CODE = /\.py$/i;
const CONFIGURATION = /config\.json$/;

/**
 * Paths within the folder, parts joined by "/"; none for a GGUF file. Python code is among them when a configuration names
 * classes of it: what is left is how the model was trained.
 */
async function companionsOf({ folder, readText }: Checkpoint): Promise<string[]> {
  if (folder === undefined) return [];
  const own = (await folder.list()).filter((file) => isCompanion(file) && !MADE_ANEW.includes(file.toLowerCase()));
  const configurations = ["config.json", ...own.filter((file) => CONFIGURATION.test(file))];
  const texts = await Promise.all(configurations.map(readText));
  const namesCode = texts.some((text) => text?.includes('"auto_map"'));
  const subfolders = (await folder.subfolders()).filter((name) => SUBFOLDERS.test(name));
  const nested = await Promise.all(
    subfolders.map(async (name) => (await folder.list(name)).filter(isCompanion).map((file) => `${name}/${file}`)),
  );
  return [...own.filter((file) => namesCode || !CODE.test(file)), ...nested.flat()];
}

const isCompanion = (file: string): boolean => !WEIGHTS.test(file) && !HIDDEN.test(file) && file !== OTHER_FORMAT;

/** Refuses what could not be copied at the end. @throws {CompError} "checkpoint" as `checkReadable` */
export async function checkCompanions(source: Checkpoint): Promise<void> {
  if (source.folder !== undefined) await checkReadable(source.folder, await companionsOf(source));
}

/** Copies all of them. Returns their names. */
export async function copyCompanions(output: Output, source: Checkpoint): Promise<string[]> {
  const names = await companionsOf(source);
  for (const name of names) {
    const sink = await output.create(name);
    await copyFile(source.folder!, name, sink);
    await sink.close();
  }
  return names;
}
