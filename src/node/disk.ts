// What the disk says when it refuses, in one clear line, and how much room it has.
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { CompError } from "../errors.ts";

/** Turns a file system's error about `path` into an "output" error; other errors of ours pass unchanged. */
export function unwritable(path: string, cause: unknown): CompError {
  if (cause instanceof CompError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new CompError("output", `the disk is full: cannot write ${path}`, {
      cause,
      hint: "free some space, or name an output on another disk",
    });
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new CompError("output", `no permission to write ${path}`, { cause, hint: "name an output elsewhere" });
  return new CompError("output", `cannot write ${path}: ${message}`, { cause });
}

/** Bytes free to this user on the disk that holds `path`, or would hold it. */
export async function freeBytes(path: string): Promise<number> {
  const full = resolve(path);
  try {
    const { bavail, bsize } = await statfs(full);
    return bavail * bsize;
  } catch (error) {
    // Not there yet: what counts is the nearest folder above it that is.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && dirname(full) !== full) return freeBytes(dirname(full));
    throw unwritable(full, error);
  }
}
