// Outputs on the disk that appear under their name only when complete: made in a folder beside it, then renamed.
import { constants, existsSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { ByteSink, CreateOptions, Output, SourceFolder } from "../checkpoint/storage.ts";
import { CompError } from "../errors.ts";
import type { OutputCourse } from "../run-context.ts";
import { forgetUnfinished, makeFolders, rememberUnfinished, removeEmptyFolders, unwritable } from "./disk.ts";
import { folderSource, openFile, pathWithin } from "./open-path.ts";
import { lastingPlace, type OutputPlace, passingPlace } from "./output-place.ts";
import { checkFolder, checkTarget, type OutputKind } from "./output-target.ts";

export interface StageOptions {
  /** Replaces what stands at the path, at commit and not before. */
  overwrite: boolean;
  /** Of what a later run may go on with, should this one be killed; the caller has the claim of the output. */
  course?: OutputCourse | undefined;
}

/**
 * Prepares a folder as output, with the folders above it.
 * @throws {CompError} "output" when the path is taken and not to be overwritten, or holds anything but a model.
 */
export const stageFolder = (path: string, options: StageOptions): Promise<Output> => stage(path, "folder", options);

/** Prepares a single file as output. @throws {CompError} "output" as for `stageFolder`. */
export const stageFile = (path: string, options: StageOptions): Promise<Output> => stage(path, "file", options);

/**
 * Finds out whether an output can be written, by beginning one and taking it back.
 * @throws {CompError} "output" as `stageFolder`, or when the disk refuses
 */
export async function probeOutput(path: string, kind: OutputKind, options: StageOptions): Promise<void> {
  const output = await stage(path, kind, options);
  try {
    const sink = await output.create("probe");
    await sink.write(0, new Uint8Array(1));
    await sink.close();
  } finally {
    await output.discard();
  }
}

async function stage(path: string, kind: OutputKind, { overwrite, course }: StageOptions): Promise<Output> {
  const target = resolve(path);
  await checkTarget(path, target, kind, overwrite);
  try {
    const createdParent = await makeFolders(dirname(target));
    const place = course ? lastingPlace(target) : passingPlace(target);
    const isContinued = course?.continues === true;
    if (!isContinued) await rm(place.folder, { recursive: true, force: true });
    await mkdir(kind === "folder" ? place.staged : place.folder, { recursive: true });
    return new StagedOutput({ name: path, target, kind, overwrite, place, isContinued, createdParent });
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/**
 * Finds out whether a folder can be filled file by file; it may be there already, and if not, it is not there afterwards.
 * @throws {CompError} "output" when something is in its way, or the disk refuses
 */
export async function probeFolder(path: string): Promise<void> {
  const target = resolve(path);
  await checkFolder(path, target);
  let created: string | undefined;
  try {
    created = await makeFolders(target);
    const { folder: probe } = passingPlace(join(target, "probe"));
    await writeFile(probe, "probe");
    await rm(probe);
  } catch (cause) {
    throw unwritable(path, cause);
  } finally {
    if (created !== undefined) await removeEmptyFolders(target, created);
  }
}

interface StagedParts {
  /** The path as the user gave it, for messages. */
  name: string;
  target: string;
  kind: OutputKind;
  overwrite: boolean;
  place: OutputPlace;
  /** Whether another run has begun it. */
  isContinued: boolean;
  /** The topmost folder that had to be made for the target to have a place. */
  createdParent: string | undefined;
}

class StagedOutput implements Output {
  readonly name: string;
  readonly staged: SourceFolder;
  readonly #parts: StagedParts;
  readonly #sinks = new Set<FileSink>();
  #commit: Promise<void> | undefined;
  #state: "open" | "committed" | "discarded" = "open";

  constructor(parts: StagedParts) {
    this.name = parts.name;
    this.#parts = parts;
    const { kind, name, place } = parts;
    this.staged = kind === "folder" ? folderSource(place.staged) : fileAsFolder(name, place.staged);
    rememberUnfinished(place.folder);
  }

  async create(file: string, { keepsContent = false }: CreateOptions = {}): Promise<ByteSink> {
    this.#checkOpen();
    const { kind, place, isContinued } = this.#parts;
    const { staged } = place;
    const path = kind === "folder" ? pathWithin(staged, file) : staged;
    const label = kind === "folder" ? join(this.name, file) : this.name;
    const flags = !isContinued ? "wx" : keepsContent ? constants.O_RDWR | constants.O_CREAT : "w";
    try {
      if (kind === "folder" && file.includes("/")) await mkdir(dirname(path), { recursive: true });
      const sink = new FileSink(label, await open(path, flags), (closed) => this.#sinks.delete(closed));
      this.#sinks.add(sink);
      if (this.#state === "discarded") await this.#remove(); // while the file was being created
      this.#checkOpen();
      return sink;
    } catch (cause) {
      throw unwritable(label, cause);
    }
  }

  async flush(): Promise<void> {
    await Promise.all([...this.#sinks].map((sink) => sink.flush()));
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
    await this.#remove();
  }

  #checkOpen(): void {
    if (this.#state !== "open") throw new CompError("aborted", `${this.name} was ${this.#state} before`);
  }

  async #putInPlace(): Promise<void> {
    const { target, kind, overwrite, place } = this.#parts;
    try {
      await Promise.all([...this.#sinks].map((sink) => sink.close()));
      await checkTarget(this.name, target, kind, overwrite); // hours may have passed since the first look
      forgetUnfinished(place.folder); // which may hold the only copy of what is replaced
      if (kind === "folder" && existsSync(target)) await replaceFolder(place, target);
      else await rename(place.staged, target);
      this.#state = "committed";
      await rm(place.folder, { recursive: true, force: true });
    } catch (cause) {
      throw unwritable(this.name, cause);
    }
  }

  async #remove(): Promise<void> {
    const { target, place, createdParent } = this.#parts;
    await Promise.allSettled([...this.#sinks].map((sink) => sink.abandon()));
    // A file that was just being created can make the folder non-empty again: hence the retries.
    const { folder, staged, replaced } = place;
    await rm(existsSync(replaced) ? staged : folder, { recursive: true, force: true, maxRetries: 3 });
    forgetUnfinished(place.folder);
    if (createdParent !== undefined) await removeEmptyFolders(dirname(target), createdParent);
  }
}

/** An output that is a single file, as the folder of just this file; its name is ignored as it is by `create`. */
const fileAsFolder = (name: string, path: string): SourceFolder => ({
  name,
  list: async () => [basename(name)],
  subfolders: async () => [],
  open: () => openFile(path),
});

/** A folder cannot be renamed onto another: the old one steps aside, comes back if that fails, and goes with the place if not. */
async function replaceFolder({ staged, replaced }: OutputPlace, target: string): Promise<void> {
  await rename(target, replaced);
  try {
    await rename(staged, target);
  } catch (error) {
    await rename(replaced, target);
    throw error;
  }
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

  async flush(): Promise<void> {
    if (this.#closing === undefined) await this.#handle.datasync();
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
