// Whether a path may become an output: what stands there or in the way of it.
import { constants, type Stats } from "node:fs";
import { access, lstat, readdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { CompError } from "../errors.ts";
import { unwritable } from "./disk.ts";

export type OutputKind = "folder" | "file";

/**
 * Looks at the place of an output.
 *
 * @param path as the user gave it, for messages
 * @param target the same, absolute
 * @throws {CompError} "output" when the path is taken and not to be overwritten, holds anything but a model, or cannot be made or moved
 */
export async function checkTarget(path: string, target: string, kind: OutputKind, overwrite: boolean): Promise<void> {
  await checkFolder(path, dirname(target));
  const present = await statOrNothing(path, target);
  if (present === undefined) return;
  if (kind === "file" ? !present.isFile() : !present.isDirectory())
    throw new CompError(
      "output",
      `${path} exists and is not a ${kind}${present.isSymbolicLink() ? " but a link" : ""}`,
      {
        hint: "name another output",
      },
    );
  if (!overwrite)
    throw new CompError("output", `${path} exists already`, { hint: "name another output, or add --overwrite" });
  await checkMovable(path, target, present);
  if (kind === "folder") await checkReplaceable(path, target);
}

/** A folder, or the nearest of those above it that is there, has to be one. @throws {CompError} "output" when it is not */
export async function checkFolder(path: string, folder: string): Promise<void> {
  if (path.trim() === "") throw new CompError("output", "the output has no name", { hint: "name one with --output" });
  const present = await statOrNothing(path, folder);
  if (present === undefined) return dirname(folder) === folder ? undefined : checkFolder(path, dirname(folder));
  if (present.isDirectory()) return;
  const isFolder = await stat(folder).then(
    (followed) => followed.isDirectory(),
    () => false,
  );
  if (isFolder) return;
  const what = present.isSymbolicLink() ? "a link that leads to no folder" : "not a folder";
  throw new CompError("output", `cannot write ${path}: ${folder} is ${what}`, { hint: "name an output elsewhere" });
}

/** What stands at a path, links not followed; nothing where a file stands in its way. */
async function statOrNothing(output: string, path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw unwritable(output, error);
  }
}

/** What is replaced steps aside first, which the mount point of a disk cannot. */
async function checkMovable(path: string, target: string, { dev }: Stats): Promise<void> {
  const above = await stat(dirname(target));
  if (above.dev !== dev)
    throw new CompError("output", `${path} is where a disk is mounted, which cannot be replaced`, {
      hint: "name an output inside it",
    });
  await access(target, constants.W_OK).catch((cause: unknown) => {
    throw unwritable(path, cause);
  });
}

/** A slip such as `-o ~ --overwrite` must not cost a home: only an empty folder or a model may be replaced. */
async function checkReplaceable(path: string, target: string): Promise<void> {
  const files = await readdir(target).catch((cause: unknown) => {
    throw unwritable(path, cause);
  });
  if (files.length === 0 || files.includes("config.json")) return;
  throw new CompError(
    "output",
    `${path} is not overwritten: it is not empty and has no config.json, so it is no model`,
    { hint: "name another output, or remove the folder yourself" },
  );
}
