// Opens a folder of safetensors: which files belong to the model, and the checkpoint over all of them.
import { CompError } from "../errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readText } from "./folder-files.ts";
import { folderQuantization } from "./folder-quantization.ts";
import { parseJson } from "./json.ts";
import { parseSafetensors } from "./safetensors-header.ts";
import { joinScales } from "./scaled-tensors.ts";
import type { ByteSource, SourceFolder } from "./storage.ts";
import { type ParsedFile, storedCheckpoint } from "./stored-tensors.ts";

export const SINGLE_FILE = "model.safetensors";
export const INDEX_FILE = "model.safetensors.index.json";

/**
 * The checkpoint of a folder whose file names are `files`: model.safetensors, or the shards of
 * model.safetensors.index.json, or the only *.safetensors there is.
 * @throws {CompError} "checkpoint" when a shard is missing, cut short or damaged, and for quantized weights that are not read.
 */
export async function openSafetensors(folder: SourceFolder, files: readonly string[]): Promise<Checkpoint> {
  const readOwn = async (file: string): Promise<string | undefined> =>
    files.includes(file) ? readText(folder, file) : undefined;
  const weightMap = files.includes(SINGLE_FILE) ? undefined : parseIndex(folder, await readOwn(INDEX_FILE));
  const shards = weightMap === undefined ? [onlyFile(folder, files)] : [...new Set(weightMap.values())].sort();
  for (const shard of shards) checkPresent(folder, files, shard);
  const quantization = await folderQuantization(folder, files);
  const parsed = await openAll(folder, shards);
  try {
    if (weightMap !== undefined) checkIndex(folder, weightMap, shards, parsed);
    const noMetadata = { metadata: new Map(), metadataRanges: new Map() };
    const place = { name: folder.name, folder, files, parsed: joinScales(parsed, quantization) };
    return storedCheckpoint({ format: "safetensors", ...place, ...noMetadata, readText: readOwn });
  } catch (error) {
    await closeAll(parsed.map((file) => file.source));
    throw error;
  }
}

function onlyFile(folder: SourceFolder, files: readonly string[]): string {
  const found = files.filter((file) => file.endsWith(".safetensors"));
  if (found.includes(SINGLE_FILE)) return SINGLE_FILE;
  if (found.length === 1) return found[0]!;
  throw new CompError(
    "checkpoint",
    `${folder.name} has ${found.length} safetensors files and no ${INDEX_FILE} that says how they belong together`,
    { hint: `download ${INDEX_FILE} of the same model into the folder` },
  );
}

/** Tensor name to shard; undefined when there is no index. */
function parseIndex(folder: SourceFolder, text: string | undefined): Map<string, string> | undefined {
  if (text === undefined) return undefined;
  const index = parseJson(text, `${folder.name}/${INDEX_FILE}`);
  const weightMap = (index as { weight_map?: unknown } | null)?.weight_map;
  const entries = Object.entries((weightMap ?? {}) as Record<string, unknown>);
  if (entries.length === 0 || !entries.every((entry): entry is [string, string] => typeof entry[1] === "string"))
    throw new CompError("checkpoint", `${folder.name}/${INDEX_FILE} has no weight_map of tensor names to files`);
  return new Map(entries);
}

/** A shard must be a file of this folder: an index cannot lead elsewhere. */
function checkPresent(folder: SourceFolder, files: readonly string[], shard: string): void {
  if (files.includes(shard)) return;
  throw new CompError("checkpoint", `${folder.name} lacks ${shard}, which ${INDEX_FILE} names`, {
    hint: "complete the download",
  });
}

async function openAll(folder: SourceFolder, shards: readonly string[]): Promise<ParsedFile[]> {
  const sources: ByteSource[] = [];
  const parsed: ParsedFile[] = [];
  try {
    for (const shard of shards) {
      const source = await folder.open(shard);
      sources.push(source);
      parsed.push(await parseSafetensors(source));
    }
    return parsed;
  } catch (error) {
    await closeAll(sources);
    throw error;
  }
}

async function closeAll(sources: readonly ByteSource[]): Promise<void> {
  await Promise.all(sources.map((source) => source.close()));
}

function checkIndex(
  folder: SourceFolder,
  weightMap: ReadonlyMap<string, string>,
  shards: readonly string[],
  parsed: readonly ParsedFile[],
): void {
  const names = new Map(
    shards.map((shard, i) => [shard, new Set(parsed[i]!.tensors.map((tensor) => tensor.name))] as const),
  );
  for (const [name, shard] of weightMap)
    if (!names.get(shard)!.has(name))
      throw new CompError(
        "checkpoint",
        `${folder.name}/${shard} lacks tensor "${name}", which ${INDEX_FILE} puts there`,
      );
}
