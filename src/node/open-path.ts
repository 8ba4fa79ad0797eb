// A path that a user gave, opened as the checkpoint it is.
import { stat } from "node:fs/promises";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { openFolder, openGguf } from "../checkpoint/open-checkpoint.ts";
import { CompError } from "../errors.ts";
import { openFile, unreadable } from "./file-source.ts";
import { folderSource } from "./folder-source.ts";

/** Opens a model folder or a .gguf file. @throws {CompError} "checkpoint" when the path is neither, saying why. */
export async function openPath(path: string): Promise<Checkpoint> {
  const entry = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  if (entry.isDirectory()) return openFolder(folderSource(path));
  if (path.endsWith(".safetensors"))
    throw new CompError("checkpoint", `${path} is a single safetensors file`, {
      hint: "give the folder that holds it, with config.json beside it",
    });
  return openGguf(await openFile(path));
}
