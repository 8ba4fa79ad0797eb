// Scratch space in the system's folder for temporary files.
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompError } from "../errors.ts";
import type { Scratch, StoredArray } from "../forward/run/scratch.ts";
import { forgetUnfinished, reasonOf, rememberUnfinished } from "./disk.ts";
import { collectGarbage } from "./garbage.ts";
import { ownedName, removeAbandoned } from "./owner.ts";
import { roundedArray } from "./rounded-array.ts";

const PREFIX = "comp-scratch-";

/** Enough to meet a full disk. */
const PROBE_ELEMENTS = 2 ** 18;

/** A folder made when first needed, removed by `clear`. @throws {CompError} "output" when there is no room */
export function scratchFolder(): Scratch {
  let folder: Promise<string> | undefined;
  let count = 0;
  const put: Scratch["put"] = async (data) => {
    folder ??= makeFolder();
    const stored = new StoredFile(join(await folder, `${count++}.f32`), data.length);
    await stored.write(data);
    return stored;
  };
  return {
    put,
    putRounded: (data) => roundedArray(put, data),
    async clear() {
      if (folder === undefined) return;
      const made = await folder.catch(() => undefined);
      folder = undefined;
      if (made === undefined) return;
      await rm(made, { recursive: true, force: true });
      forgetUnfinished(made);
    },
  };
}

/** Finds out whether there is scratch space, by using some. @throws {CompError} "output" when there is none */
export async function probeScratch(): Promise<void> {
  const scratch = scratchFolder();
  try {
    await scratch.put(new Float32Array(PROBE_ELEMENTS));
  } finally {
    await scratch.clear();
  }
}

/** The user chose the folder, if at all, by a variable of the environment. */
const noSpace = (cause: unknown): CompError =>
  new CompError("output", `cannot write temporary files in ${tmpdir()}: ${reasonOf(cause)}`, {
    cause,
    hint: "set TMPDIR to a folder with some gigabytes of room",
  });

async function makeFolder(): Promise<string> {
  try {
    await removeAbandoned(tmpdir(), PREFIX);
    const folder = await mkdtemp(join(tmpdir(), ownedName(PREFIX)));
    rememberUnfinished(folder);
    return folder;
  } catch (cause) {
    throw noSpace(cause);
  }
}

/** An array in a file of its own, in the byte order of the machine. */
export class StoredFile implements StoredArray {
  readonly length: number;
  readonly #path: string;

  constructor(path: string, length: number) {
    this.#path = path;
    this.length = length;
  }

  async read(): Promise<Float32Array<ArrayBuffer>> {
    collectGarbage();
    const data = new Float32Array(this.length);
    await this.readInto(data);
    return data;
  }

  async readInto(data: Float32Array): Promise<void> {
    const bytes = this.#bytesOf(data);
    const file = await open(this.#path);
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, done, bytes.length - done, done);
        if (bytesRead === 0) throw new RangeError(`${this.#path} has ${done} of ${bytes.length} bytes`);
        done += bytesRead;
      }
    } finally {
      await file.close();
    }
  }

  async write(data: Float32Array): Promise<void> {
    await writeFile(this.#path, this.#bytesOf(data)).catch((cause: unknown) => {
      throw noSpace(cause);
    });
  }

  remove(): Promise<void> {
    return rm(this.#path);
  }

  async take(): Promise<Float32Array<ArrayBuffer>> {
    const data = await this.read();
    await this.remove();
    return data;
  }

  #bytesOf(data: Float32Array): Uint8Array {
    if (data.length !== this.length)
      throw new RangeError(`${this.#path} is for ${this.length} numbers, not ${data.length}`);
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
}
