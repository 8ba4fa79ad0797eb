// What outlives a run that is killed: a record of how far it is, and arrays, in the place where its output is made.
import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { deserialize, serialize } from "node:v8";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { Journal, RunKey } from "../run-context.ts";
import { unwritable } from "./disk.ts";
import { BESIDE, lastingPlace } from "./output-place.ts";
import { StoredFile } from "./scratch-folder.ts";

/** Read by the same version only, so that typed arrays may stand in it as they are. */
const RECORD = "record";

interface Entry<Kept> {
  readonly key: RunKey;
  readonly record: Kept;
}

/**
 * Opens the journal of an output, whose claim the caller has; what another run has left with another key is removed.
 *
 * @param path the output's, as the user gave it
 */
export async function openJournal<Kept>(path: string, { version, source, options }: RunKey): Promise<Journal<Kept>> {
  const key = { version, source: hashOf(source), options: hashOf(options) }; // whole texts may be among them
  const { folder } = lastingPlace(resolve(path));
  const entry = await readEntry<Kept>(join(folder, RECORD));
  const discarded = entry && whyUseless(key, entry.key);
  const found = discarded === undefined ? entry?.record : undefined;
  const orUnwritable = (cause: unknown): never => {
    throw unwritable(path, cause);
  };
  if (found === undefined) await rm(folder, { recursive: true, force: true }).catch(orUnwritable);
  const pathOf = (name: string): string => join(folder, name);
  /** Arrays that may not be on the disk yet: it takes many together as fast as one. */
  let written: string[] = [];
  return {
    found,
    discarded,
    keep: async (record) => {
      await Promise.all(written.map(flush)).catch(orUnwritable);
      written = [];
      await writeDurably(pathOf(RECORD), serialize({ key, record } satisfies Entry<Kept>)).catch(orUnwritable);
    },
    put: async (name, data) => {
      await mkdir(dirname(pathOf(name)), { recursive: true }).catch(orUnwritable);
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      await writeFile(pathOf(name), bytes).catch(orUnwritable);
      written.push(pathOf(name));
    },
    get: async (name) => {
      const { size } = await stat(pathOf(name));
      return new StoredFile(pathOf(name), size / Float32Array.BYTES_PER_ELEMENT);
    },
    drop: async (name) => {
      written = written.filter((path) => dirname(path) !== pathOf(name));
      await rm(pathOf(name), { recursive: true, force: true });
    },
  };
}

/** Undefined where there is none that can be read. */
async function readEntry<Kept>(path: string): Promise<Entry<Kept> | undefined> {
  try {
    return deserialize(await readFile(path)) as Entry<Kept>;
  } catch {
    return undefined;
  }
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

function whyUseless(key: RunKey, found: RunKey): string | undefined {
  if (key.version !== found.version) return "it is of another version of comp";
  if (key.source !== found.source) return "the source has changed since";
  return key.options === found.options ? undefined : "its options or texts were others";
}

async function flush(path: string): Promise<void> {
  const file = await open(path, "r+");
  await file.datasync().finally(() => file.close());
}

/** On the disk before it takes the place of the last one. */
async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, bytes, { flush: true });
  await rename(`${path}.new`, path);
}

/** Sizes and times of the files of a model: its fingerprint does not see all that may change in them. */
export async function stampOf(path: string, { format, files }: Checkpoint): Promise<string> {
  const own = files.filter((name) => !name.startsWith(BESIDE)); // an output may lie in the model's folder
  const facts = own.map(async (name) => {
    const found = await stat(format === "gguf" ? name : join(path, name)).catch(() => undefined); // a link may lead nowhere
    return [name, found?.size, found?.mtimeMs];
  });
  return JSON.stringify(await Promise.all(facts));
}
