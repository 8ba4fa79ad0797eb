// The cache as a folder: a file an entry, written beside and renamed, the least recently used removed first. Other runs may do the
// same at any moment.
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Cache, type EntryKey, NO_CACHE } from "../cache/cache.ts";
import type { CacheContents, CachedFinding } from "../events/cache.ts";
import { bytesOf, packEntry, readAbout, readEntry, writeEntry } from "./cache-entry.ts";
import type { CachePlace } from "./cache-place.ts";
import { forgetUnfinished, freeBytes, makeFolders, reasonOf, rememberUnfinished, unwritable } from "./disk.ts";

/** Names of entries; whatever else lies in the folder is not ours to count or remove. */
const ENTRY_NAME = /^[a-z-]+-[0-9a-f]{64}\.finding$/;
/** An entry on its way. */
const PART_NAME = /^[a-z-]+-[0-9a-f]{64}\.finding\.[0-9a-f-]{36}$/;

/** An entry takes no more of the free disk than this: the output may have to go there too. */
const FREE_SHARE = 0.1;

/** What is still unfinished after a day is a dead run's. */
const PART_SECONDS = 24 * 60 * 60;

/**
 * A cache in a folder, which is made when there is something to keep.
 *
 * @param machine all that results may depend on by their last bits: entries are this machine's alone
 */
export function cacheFolder({ folder, mostBytes }: CachePlace, machine: string): Cache {
  if (mostBytes === 0) return NO_CACHE;
  let hasTold = false;
  const pathOf = ({ finding, of }: EntryKey): string =>
    join(folder, `${finding}-${createHash("sha256").update(`${machine}\n${of}`).digest("hex")}.finding`);
  return {
    async recall(key, scratch) {
      const path = pathOf(key);
      const now = new Date();
      try {
        const entry = await readEntry(path, scratch);
        await utimes(path, now, now).catch(() => undefined); // of a cache that may only be read
        return entry;
      } catch {
        return undefined; // not there, or damaged: what is computed instead takes its place
      }
    },
    async keep(key, entry) {
      try {
        await makeFolder(folder);
        const about = { finding: key.finding, model: basename(key.model) };
        const packed = packEntry(about, entry);
        if (bytesOf(packed) > Math.min(mostBytes, FREE_SHARE * (await freeBytes(folder)))) return undefined;
        await writeBeside(pathOf(key), (path) => writeEntry(path, packed));
        await removeOldest(folder, mostBytes);
        return undefined;
      } catch (error) {
        if (hasTold) return undefined;
        hasTold = true;
        return `what is found out about the model cannot be kept in ${folder} (${reasonOf(error)}); set COMP_CACHE to another folder`;
      }
    },
  };
}

/** What a cache holds, the last used first. */
export async function listCache({ folder, mostBytes }: CachePlace): Promise<CacheContents> {
  const findings: CachedFinding[] = [];
  for (const { path, bytes, usedAt } of await entriesIn(folder)) {
    const about = await readAbout(path).catch(() => undefined);
    if (about) findings.push({ ...about, bytes, usedAt });
  }
  return { folder, mostBytes, bytes: findings.reduce((sum, { bytes }) => sum + bytes, 0), findings };
}

/** Removes all entries, and what dead runs have begun. @throws {CompError} "output" when that is not allowed */
export async function emptyCache({ folder }: CachePlace): Promise<void> {
  for (const pattern of [ENTRY_NAME, PART_NAME])
    for (const { path } of await filesIn(folder, pattern))
      await rm(path, { force: true }).catch((cause: unknown) => {
        throw unwritable(path, cause);
      });
}

/** Another run may be making it at the same moment. */
async function makeFolder(folder: string): Promise<void> {
  await makeFolders(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
    return mkdir(folder, { recursive: true });
  });
}

async function writeBeside(path: string, write: (path: string) => Promise<void>): Promise<void> {
  const beside = `${path}.${randomUUID()}`;
  rememberUnfinished(beside);
  try {
    await write(beside);
    await rename(beside, path);
  } catch (error) {
    await remove(beside);
    throw error;
  } finally {
    forgetUnfinished(beside);
  }
}

interface EntryFile {
  readonly path: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly usedAt: number;
}

/** Leaves so many of the last used entries as fit, and nothing that a dead run has begun. */
async function removeOldest(folder: string, mostBytes: number): Promise<void> {
  let total = 0;
  for (const { path, bytes } of await entriesIn(folder)) {
    total += bytes;
    if (total > mostBytes) await remove(path);
  }
  for (const { path, usedAt } of await filesIn(folder, PART_NAME))
    if (Date.now() - usedAt > 1000 * PART_SECONDS) await remove(path);
}

const entriesIn = async (folder: string): Promise<EntryFile[]> =>
  (await filesIn(folder, ENTRY_NAME)).sort((a, b) => b.usedAt - a.usedAt);

async function filesIn(folder: string, pattern: RegExp): Promise<EntryFile[]> {
  const files: EntryFile[] = [];
  for (const name of (await namesIn(folder)).filter((name) => pattern.test(name))) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined); // another run may have removed it meanwhile
    if (found?.isFile()) files.push({ path, bytes: found.size, usedAt: found.mtimeMs });
  }
  return files;
}

/** Nothing where there is no such folder, or none that may be looked at. */
const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

/** Where another system's file is still being read, it stays for now. */
const remove = (path: string): Promise<void> => rm(path, { force: true }).catch(() => undefined);
