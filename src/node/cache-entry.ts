// One file of the cache: sections, each after its length, and a digest of all of them, so that a damaged or half-written file is
// known for what it is.
import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { deserialize, serialize } from "node:v8";
import type { Entry, EntryKey } from "../cache/cache.ts";
import type { Scratch, StoredArray } from "../forward/run/scratch.ts";

/** What an entry says of itself. */
export type About = Pick<EntryKey, "finding" | "model">;

const LENGTH_BYTES = 8;
const DIGEST_BYTES = 32;

/** An entry on its way to the disk: what it says of itself and its plain data as bytes. */
export interface PackedEntry {
  readonly head: readonly Uint8Array[];
  readonly arrays: readonly StoredArray[];
}

export const packEntry = (about: About, { data, arrays }: Entry): PackedEntry => ({
  head: [Buffer.from(JSON.stringify(about)), serialize(data)],
  arrays,
});

/** Of the file that `writeEntry` makes. */
export function bytesOf({ head, arrays }: PackedEntry): number {
  const sections = [...head.map(({ length }) => length), ...arrays.map(({ length }) => 4 * length)];
  return sections.reduce((total, bytes) => total + LENGTH_BYTES + bytes, DIGEST_BYTES);
}

/** Writes an entry into a new file. */
export async function writeEntry(path: string, { head, arrays }: PackedEntry): Promise<void> {
  const file = await open(path, "wx");
  try {
    const sections = new SectionWriter(file);
    for (const bytes of head) await sections.add(bytes);
    for (const array of arrays) {
      const values = await array.read();
      await sections.add(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
    await sections.finish();
  } finally {
    await file.close();
  }
}

/** Reads an entry, its arrays into scratch space one after the other. @throws when the file is not as it was written */
export async function readEntry(path: string, scratch: Scratch): Promise<Entry> {
  const file = await open(path);
  try {
    const sections = await SectionReader.of(file);
    await sections.next();
    const data = await sections.next();
    const arrays: StoredArray[] = [];
    while (sections.hasMore) arrays.push(await scratch.put(new Float32Array((await sections.next()).buffer)));
    await sections.check();
    return { data: deserialize(data), arrays };
  } finally {
    await file.close();
  }
}

/** What an entry is of, without looking at the rest. @throws when the file does not begin like an entry */
export async function readAbout(path: string): Promise<About> {
  const file = await open(path);
  try {
    return JSON.parse(Buffer.from(await (await SectionReader.of(file)).next()).toString()) as About;
  } finally {
    await file.close();
  }
}

class SectionWriter {
  readonly #file: FileHandle;
  readonly #digest: Hash = createHash("sha256");

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async add(bytes: Uint8Array): Promise<void> {
    const length = new Uint8Array(new BigUint64Array([BigInt(bytes.length)]).buffer);
    for (const part of [length, bytes]) {
      this.#digest.update(part);
      await this.#file.appendFile(part);
    }
  }

  async finish(): Promise<void> {
    await this.#file.appendFile(this.#digest.digest());
  }
}

class SectionReader {
  readonly #file: FileHandle;
  readonly #digest: Hash = createHash("sha256");
  #left: number;

  static async of(file: FileHandle): Promise<SectionReader> {
    return new SectionReader(file, (await file.stat()).size - DIGEST_BYTES);
  }

  private constructor(file: FileHandle, left: number) {
    this.#file = file;
    this.#left = left;
  }

  get hasMore(): boolean {
    return this.#left > 0;
  }

  async next(): Promise<Uint8Array<ArrayBuffer>> {
    const [length] = new BigUint64Array((await this.#take(LENGTH_BYTES)).buffer);
    return this.#take(Number(length));
  }

  /** Compares the digest, when all sections are read. */
  async check(): Promise<void> {
    const expected = this.#digest.digest();
    if (!expected.equals(await this.#read(DIGEST_BYTES))) throw new RangeError("the entry is damaged");
  }

  async #take(count: number): Promise<Uint8Array<ArrayBuffer>> {
    if (count > this.#left) throw new RangeError("the entry is cut short");
    this.#left -= count;
    const bytes = await this.#read(count);
    this.#digest.update(bytes);
    return bytes;
  }

  async #read(count: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(count);
    for (let done = 0; done < count; ) {
      const { bytesRead } = await this.#file.read(bytes, done, count - done);
      if (bytesRead === 0) throw new RangeError("the entry is cut short");
      done += bytesRead;
    }
    return bytes;
  }
}
