// Outputs on the disk that appear under their name only when complete: written beside it as .comp-<random>, then renamed.
import { randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import type { ByteSink, Output, SourceFolder } from "../checkpoint/storage.ts";
import { CompError } from "../errors.ts";
import { unwritable } from "./disk.ts";
import { openFile } from "./file-source.ts";
import { folderSource } from "./folder-source.ts";
import { forgetUnfinished, rememberUnfinished } from "./unfinished.ts";

export interface StageOptions {
  /** Replaces what stands at the path, at commit and not before. */
  overwrite: boolean;
}

/**
 * Prepares a folder as output, with the folders above it.
 * @throws {CompError} "output" when the path is taken and not to be overwritten, or holds anything but a model.
 */
export const stageFolder = (path: string, { overwrite }: StageOptions): Promise<Output> =>
  stage(path, "folder", overwrite);

/** Prepares a single file as output. @throws {CompError} "output" as for `stageFolder`. */
export const stageFile = (path: string, { overwrite }: StageOptions): Promise<Output> => stage(path, "file", overwrite);

type Kind = "folder" | "file";

async function stage(path: string, kind: Kind, overwrite: boolean): Promise<Output> {
  const target = resolve(path);
  await checkTarget(path, target, kind, overwrite);
  try {
    const createdParent = await mkdir(dirname(target), { recursive: true });
    // Not named after the output: whatever carries its name is complete.
    const staged = besides(target);
    if (kind === "folder") await mkdir(staged);
    return new StagedOutput(path, kind, overwrite, staged, createdParent);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

const besides = (target: string): string => join(dirname(target), `.comp-${randomUUID()}`);

const statOrNothing = async (path: string): Promise<Stats | undefined> => {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unwritable(path, error);
  }
};

async function checkTarget(path: string, target: string, kind: Kind, overwrite: boolean): Promise<void> {
  const present = await statOrNothing(target);
  if (present === undefined) return;
  if (!overwrite)
    throw new CompError("output", `${path} exists already`, { hint: "name another output, or add --overwrite" });
  if (kind === "file" ? !present.isFile() : !present.isDirectory())
    throw new CompError("output", `${path} exists and is not a ${kind}`, { hint: "name another output" });
  if (kind === "folder") await checkReplaceable(path, target);
}

/** A slip such as `-o ~ --overwrite` must not cost a home: only an empty folder or a model may be replaced. */
async function checkReplaceable(path: string, target: string): Promise<void> {
  const files = await readdir(target);
  if (files.length === 0 || files.includes("config.json")) return;
  throw new CompError(
    "output",
    `${path} is not overwritten: it is not empty and has no config.json, so it is no model`,
    {
      hint: "name another output, or remove the folder yourself",
    },
  );
}

class StagedOutput implements Output {
  readonly name: string;
  readonly staged: SourceFolder;
  readonly #kind: Kind;
  readonly #overwrite: boolean;
  readonly #staged: string;
  readonly #createdParent: string | undefined;
  readonly #sinks = new Set<FileSink>();
  #commit: Promise<void> | undefined;
  #state: "open" | "committed" | "discarded" = "open";

  constructor(name: string, kind: Kind, overwrite: boolean, staged: string, createdParent: string | undefined) {
    this.name = name;
    this.#kind = kind;
    this.#overwrite = overwrite;
    this.#staged = staged;
    this.staged = kind === "folder" ? folderSource(staged) : fileAsFolder(name, staged);
    this.#createdParent = createdParent;
    rememberUnfinished(staged);
  }

  async create(file: string): Promise<ByteSink> {
    this.#checkOpen();
    if (file !== basename(file)) throw new RangeError(`"${file}" is not a file name`);
    const path = this.#kind === "folder" ? join(this.#staged, file) : this.#staged;
    const label = this.#kind === "folder" ? join(this.name, file) : this.name;
    try {
      const sink = new FileSink(label, await open(path, "wx"), (closed) => this.#sinks.delete(closed));
      this.#sinks.add(sink);
      if (this.#state !== "open") await sink.abandon(); // discarded while the file was being created
      this.#checkOpen();
      return sink;
    } catch (cause) {
      throw unwritable(label, cause);
    }
  }

  async commit(): Promise<void> {
    this.#checkOpen();
    this.#commit = this.#putInPlace();
    await this.#commit;
  }

  async discard(): Promise<void> {
    await this.#commit?.catch(() => undefined); // one that is under way decides first
    if (this.#state !== "open") return;
    this.#state = "discarded";
    await Promise.allSettled([...this.#sinks].map((sink) => sink.abandon()));
    // A file that was just being created can make the folder non-empty again: try once more.
    await rm(this.#staged, { recursive: true, force: true, maxRetries: 3 });
    forgetUnfinished(this.#staged);
    await this.#removeCreatedParents();
  }

  #checkOpen(): void {
    if (this.#state !== "open") throw new CompError("aborted", `${this.name} was ${this.#state} before`);
  }

  async #putInPlace(): Promise<void> {
    const target = resolve(this.name);
    try {
      await Promise.all([...this.#sinks].map((sink) => sink.close()));
      const present = await statOrNothing(target);
      if (present !== undefined && !this.#overwrite)
        throw new CompError("output", `${this.name} came into being meanwhile`, { hint: "name another output" });
      if (present?.isDirectory()) await replaceFolder(this.#staged, target);
      else await rename(this.#staged, target);
      this.#state = "committed";
      forgetUnfinished(this.#staged);
    } catch (cause) {
      throw unwritable(this.name, cause);
    }
  }

  /** The folders above the output that did not exist before, as far as nothing else lies in them by now. */
  async #removeCreatedParents(): Promise<void> {
    const top = this.#createdParent;
    if (top === undefined) return;
    for (
      let folder = dirname(resolve(this.name));
      `${folder}${sep}`.startsWith(`${top}${sep}`);
      folder = dirname(folder)
    )
      await rmdir(folder).catch(() => undefined);
  }
}

/** An output that is a single file, as the folder of just this file; its name is ignored as it is by `create`. */
const fileAsFolder = (name: string, path: string): SourceFolder => ({
  name,
  list: async () => [basename(name)],
  open: () => openFile(path),
});

/** A folder cannot be renamed onto another: the old one steps aside, comes back if that fails, goes if not. */
async function replaceFolder(staged: string, target: string): Promise<void> {
  const old = besides(target);
  await rename(target, old);
  try {
    await rename(staged, target);
  } catch (error) {
    await rename(old, target);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}

class FileSink implements ByteSink {
  readonly #name: string;
  readonly #handle: FileHandle;
  readonly #onClose: (sink: FileSink) => void;
  #closing: Promise<void> | undefined;

  constructor(name: string, handle: FileHandle, onClose: (sink: FileSink) => void) {
    this.#name = name;
    this.#handle = handle;
    this.#onClose = onClose;
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; )
        done += (await this.#handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    } catch (cause) {
      throw unwritable(this.#name, cause);
    }
  }

  /** Flushes first, so that a full disk shows before the rename and not after it. */
  close(): Promise<void> {
    this.#closing ??= this.#end(() => this.#handle.sync());
    return this.#closing;
  }

  /** Closes without waiting for the disk: the file is about to be removed. */
  abandon(): Promise<void> {
    this.#closing ??= this.#end(async () => undefined);
    return this.#closing;
  }

  async #end(flush: () => Promise<void>): Promise<void> {
    try {
      await flush();
    } catch (cause) {
      throw unwritable(this.#name, cause);
    } finally {
      this.#onClose(this);
      await this.#handle.close();
    }
  }
}
