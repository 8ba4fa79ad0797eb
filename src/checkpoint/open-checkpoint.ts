// Opens a checkpoint of either format, wherever its bytes are; adapters (src/node/) turn paths into sources and folders.
import type { Checkpoint } from "./checkpoint.ts";
import { openGguf } from "./gguf.ts";
import { ggufModels } from "./gguf-split.ts";
import { checkNoAdapter, whyNoCheckpoint } from "./other-folders.ts";
import { INDEX_FILE, openSafetensors } from "./safetensors.ts";
import type { Output, SourceFolder } from "./storage.ts";

export { openGguf };

/**
 * The checkpoint of a model folder, or of the only GGUF model that lies in a folder.
 * @throws {CompError} "checkpoint" when it is none, with what was found instead.
 */
export async function openFolder(folder: SourceFolder): Promise<Checkpoint> {
  const files = await folder.list();
  await checkNoAdapter(folder, files);
  if (files.some((file) => file.endsWith(".safetensors") || file === INDEX_FILE)) return openSafetensors(folder, files);
  const [gguf, ...others] = ggufModels(files);
  if (gguf !== undefined && others.length === 0) return openGguf(await folder.open(gguf), folder);
  throw await whyNoCheckpoint(folder, files);
}

/** The checkpoint that has been written into an output, in the format that was asked for. */
export async function openWritten({ staged }: Output, format: Checkpoint["format"]): Promise<Checkpoint> {
  if (format === "safetensors") return openFolder(staged);
  const [file] = await staged.list();
  return openGguf(await staged.open(file!));
}
