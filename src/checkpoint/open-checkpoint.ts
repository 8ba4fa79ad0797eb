// The two ways into a checkpoint, whatever holds its bytes; adapters (src/node/) turn paths into these.
import { CompError } from "../errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { openGguf } from "./gguf.ts";
import { INDEX_FILE, openSafetensors } from "./safetensors.ts";
import type { Output, SourceFolder } from "./storage.ts";

export { openGguf };

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

/** The checkpoint that has been written into an output, in the format that was asked for. */
export async function openWritten({ staged }: Output, format: Checkpoint["format"]): Promise<Checkpoint> {
  if (format === "safetensors") return openFolder(staged);
  const [file] = await staged.list();
  return openGguf(await staged.open(file!));
}

function hintFor(files: readonly string[]): string {
  const gguf = files.find((file) => file.endsWith(".gguf"));
  if (gguf !== undefined) return `give the GGUF file itself: ${gguf}`;
  if (files.some((file) => /\.(bin|pth?|ckpt)$/.test(file)))
    return "convert the PyTorch weights to safetensors first: save_pretrained of transformers does";
  return "give a folder with config.json and *.safetensors, or a .gguf file";
}
