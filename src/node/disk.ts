// Writing to the disk: its refusals in one clear line, its free space, and what has to go when a process is cut short.
import { randomUUID } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { mkdir, rename, rm, rmdir, statfs, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { CompError } from "../errors.ts";

/** Turns a file system's error about `path` into an "output" error; other errors of ours pass unchanged. */
export function unwritable(path: string, cause: unknown): CompError {
  if (cause instanceof CompError) return cause;
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new CompError("output", `the disk is full: cannot write ${path}`, {
      cause,
      hint: "free some space, or name an output on another disk",
    });
  const hint = "name an output elsewhere";
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new CompError("output", `no permission to write ${path}`, { cause, hint });
  return new CompError("output", `cannot write ${path}: ${reasonOf(cause)}`, { cause, hint });
}

/** What the system says of a failure, without the call and the paths, which may be of our own making. */
export const reasonOf = (cause: unknown): string => {
  const { message } = cause as NodeJS.ErrnoException;
  return /^E[A-Z0-9]+: (.*?), \w+( '|$)/s.exec(message)?.[1] ?? message;
};

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

/**
 * Makes a folder, and those above it that are missing. Node's own recursive way never ends where a file system does not know the
 * new name afterwards, as in /proc.
 *
 * @returns the topmost that had to be made; undefined when the folder was there
 */
export async function makeFolders(folder: string): Promise<string | undefined> {
  const made: string[] = [];
  try {
    for (const path of missingFolders(resolve(folder))) if (await makeFolder(path)) made.push(path);
    return made[0];
  } catch (error) {
    for (const path of made.reverse()) await rmdir(path).catch(() => undefined);
    throw error;
  }
}

/** Whether it had to be made: another run may make the same at the same moment. */
const makeFolder = (path: string): Promise<boolean> =>
  mkdir(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") return false;
      throw error;
    },
  );

const missingFolders = (folder: string): string[] =>
  existsSync(folder) ? [] : [...missingFolders(dirname(folder)), folder];

/** Removes `folder` and those above it up to `top`, as far as nothing else lies in them by now. */
export async function removeEmptyFolders(folder: string, top: string): Promise<void> {
  const removed = await rmdir(folder).then(
    () => true,
    () => false,
  );
  if (removed && folder !== top) await removeEmptyFolders(dirname(folder), top);
}

/** What this process has begun to write and not finished. */
const staged = new Set<string>();

/** Remembers a path to be removed should the process be cut short. */
export const rememberUnfinished = (path: string): void => void staged.add(path);

export const forgetUnfinished = (path: string): void => void staged.delete(path);

/** Removes everything remembered, synchronously: for the last moment of a process. */
export function removeUnfinished(): void {
  for (const path of staged) rmSync(path, { recursive: true, force: true });
  staged.clear();
}

/** Writes a file that is there completely, or as it was before. @throws {CompError} "output" when the disk refuses */
export async function writeWhole(path: string, text: string): Promise<void> {
  const beside = `${path}.${randomUUID()}`;
  rememberUnfinished(beside);
  try {
    await writeFile(beside, text);
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    throw unwritable(path, cause);
  } finally {
    forgetUnfinished(beside);
  }
}
