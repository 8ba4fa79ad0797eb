// The two ways into a checkpoint, whatever holds its bytes; adapters (src/node/) turn paths into these.
import { CompError } from "../errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { INDEX_FILE, openSafetensors } from "./safetensors.ts";
import type { SourceFolder } from "./storage.ts";

export { openGguf } from "./gguf.ts";

/** The checkpoint of a model folder. @throws {CompError} "checkpoint" when it is none, with what was found instead. */
export async function openFolder(folder: SourceFolder): Promise<Checkpoint> {
  const files = await folder.list();
  if (files.some((file) => file.endsWith(".safetensors") || file === INDEX_FILE)) return openSafetensors(folder, files);
  if (files.length === 0)
    throw new CompError("checkpoint", `${folder.name} is empty`, {
      hint: "give a folder with config.json and *.safetensors",
    });
  throw new CompError("checkpoint", `${folder.name} has no *.safetensors`, { hint: hintFor(files) });
}

function hintFor(files: readonly string[]): string {
  const gguf = files.find((file) => file.endsWith(".gguf"));
  if (gguf !== undefined) return `give the GGUF file itself: ${gguf}`;
  if (files.some((file) => /\.(bin|pth?|ckpt)$/.test(file)))
    return "convert the PyTorch weights to safetensors first: save_pretrained of transformers does";
  return "give a folder with config.json and *.safetensors, or a .gguf file";
}
