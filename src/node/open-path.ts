// A path that a user gave, opened as the checkpoint it is: folders and files of the disk as its sources.
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { openFolder, openGguf } from "../checkpoint/open-checkpoint.ts";
import type { ByteSource, SourceFolder } from "../checkpoint/storage.ts";
import { CompError } from "../errors.ts";
import { collectGarbage } from "./garbage.ts";

/** Node reads at most 2 GiB at a time. */
const MAX_READ_BYTES = 2 ** 30;

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
  return openGguf(await openFile(path), folderSource(dirname(path)));
}

/** Opens paths for as long as `use` takes, and closes all of them when it has ended, however it does. */
export async function withPaths<T>(use: (open: (path: string) => Promise<Checkpoint>) => Promise<T>): Promise<T> {
  const opened: Promise<Checkpoint>[] = []; // those too that are still being opened when another fails
  try {
    return await use((path) => {
      const opening = openPath(path);
      opened.push(opening);
      return opening;
    });
  } finally {
    await Promise.allSettled(opened.map(async (opening) => (await opening).close()));
  }
}

/** The files and subfolders of a folder, links included: a download cache is full of them. */
export function folderSource(path: string): SourceFolder {
  return {
    name: path,
    list: (subfolder = ".") => entriesOf(pathWithin(path, subfolder), "file"),
    subfolders: (subfolder = ".") => entriesOf(pathWithin(path, subfolder), "folder"),
    open: async (file) => openFile(pathWithin(path, file)),
  };
}

/** A path below a folder. @throws {RangeError} for one that leads out of it */
export function pathWithin(folder: string, path: string): string {
  if (path === "" || isAbsolute(path) || path.split(/[\\/]/).includes(".."))
    throw new RangeError(`"${path}" is not a path within a folder`);
  return join(folder, path);
}

/** Sorted. A link that leads nowhere counts as a file, so that opening it tells what is missing. */
async function entriesOf(path: string, kind: "file" | "folder"): Promise<string[]> {
  try {
    const names: string[] = [];
    for (const entry of await readdir(path, { withFileTypes: true })) {
      const target = entry.isSymbolicLink() ? await stat(join(path, entry.name)).catch(() => undefined) : entry;
      const isFolder = target?.isDirectory() ?? false;
      const isFile = target?.isFile() ?? true;
      if (kind === "folder" ? isFolder : isFile) names.push(entry.name);
    }
    return names.sort();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Opens a file for reading. @throws {CompError} "checkpoint" when that is not possible. */
export async function openFile(path: string): Promise<ByteSource> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    const { size } = await handle.stat();
    return new FileSource(path, size, handle);
  } catch (cause) {
    await handle?.close();
    throw unreadable(path, cause);
  }
}

/** One clear line for what the system says about a path. */
export function unreadable(path: string, cause: unknown): CompError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT") return new CompError("checkpoint", `${path} does not exist`, { cause });
  if (code === "EACCES" || code === "EPERM")
    return new CompError("checkpoint", `no permission to read ${path}`, { cause });
  return new CompError("checkpoint", `cannot read ${path}: ${message}`, { cause });
}

class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #handle: FileHandle;

  constructor(name: string, size: number, handle: FileHandle) {
    this.name = name;
    this.size = size;
    this.#handle = handle;
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    if (!(0 <= start && start <= end && end <= this.size))
      throw new CompError("checkpoint", `${this.name} has ${this.size} bytes; ${start} to ${end} were asked for`);
    collectGarbage(); // what is read takes the place of what was read before
    const bytes = new Uint8Array(end - start);
    let done = 0;
    while (done < bytes.length) {
      const read = await this.#readSome(bytes, done, start + done);
      if (read === 0)
        throw new CompError("checkpoint", `${this.name} became shorter while it was read: it ends at ${start + done}`);
      done += read;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #readSome(bytes: Uint8Array, at: number, position: number): Promise<number> {
    try {
      const length = Math.min(bytes.length - at, MAX_READ_BYTES);
      return (await this.#handle.read(bytes, at, length, position)).bytesRead;
    } catch (cause) {
      throw unreadable(this.name, cause);
    }
  }
}
