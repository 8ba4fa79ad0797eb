// Pointers of git-lfs: what a clone has instead of its large files where git-lfs was not installed.
// Format: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
import { CompError } from "../errors.ts";
import type { ByteSource } from "./storage.ts";

const BEGINNING = new TextEncoder().encode("version https://git-lfs.github.com/spec/");
/** A pointer must be smaller; no other file needs to be looked into. */
const MAX_POINTER_BYTES = 1024;

/** @throws {CompError} "checkpoint" when a file is the pointer of git-lfs to itself */
export async function checkNoPointer(source: ByteSource): Promise<void> {
  if (source.size < BEGINNING.length || source.size >= MAX_POINTER_BYTES) return;
  const start = await source.read(0, BEGINNING.length);
  if (!start.every((byte, i) => byte === BEGINNING[i])) return;
  throw new CompError("checkpoint", `${source.name} is a git-lfs pointer, not the file itself`, {
    hint: 'install git-lfs and run "git lfs pull" in the clone, or download the file again',
  });
}
