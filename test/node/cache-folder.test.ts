// The cache on the disk: what comes back, what does not, and what stays of it.
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Cache, Entry, EntryKey } from "../../src/cache/cache.ts";
import { cacheFolder, emptyCache, listCache } from "../../src/node/cache-folder.ts";
import { scratchFolder } from "../../src/node/scratch-folder.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const scratch = scratchFolder();
afterAll(() => scratch.clear());

const DAY = 24 * 60 * 60;
const key = (of: string): EntryKey => ({ finding: "costs", model: "/models/tiny", of });
const entryOf = async (data: unknown, ...arrays: readonly number[][]): Promise<Entry> => ({
  data,
  arrays: await Promise.all(arrays.map((values) => scratch.put(Float32Array.from(values)))),
});

async function dataOf(cache: Cache, of: string): Promise<unknown> {
  return (await cache.recall(key(of), scratch))?.data;
}

/** The one file of a cache with one entry. */
const onlyFile = (folder: string): string => join(folder, readdirSync(folder).find((name) => name.includes("."))!);

describe("an entry", () => {
  test("comes back to the bit, its arrays too", async () => {
    const cache = cacheFolder({ folder: join(temporaryFolder(), "a", "b"), mostBytes: 1e6 }, "this");
    const data = {
      list: [0.1, Number.NaN, -0],
      typed: Float64Array.of(1 / 3),
      none: undefined,
      map: new Map([[1, "x"]]),
    };
    expect(await cache.keep(key("one"), await entryOf(data, [1, 1 / 3], [], [Number.NaN]))).toBeUndefined();
    const known = (await cache.recall(key("one"), scratch))!;
    expect(known.data).toEqual(data);
    expect(await Promise.all(known.arrays.map((array) => array.read()))).toEqual([
      Float32Array.of(1, 1 / 3),
      new Float32Array(),
      Float32Array.of(Number.NaN),
    ]);
  });

  test("is not that of another key, of another finding, or of another machine", async () => {
    const place = { folder: temporaryFolder(), mostBytes: 1e6 };
    const cache = cacheFolder(place, "this");
    await cache.keep(key("one"), await entryOf(1));
    expect(await dataOf(cache, "one")).toBe(1);
    expect(await dataOf(cache, "two")).toBeUndefined();
    expect(await cache.recall({ ...key("one"), finding: "own-text" }, scratch)).toBeUndefined();
    expect(await dataOf(cacheFolder(place, "other"), "one")).toBeUndefined();
  });

  test("that is damaged anywhere counts as none, and is replaced", async () => {
    const folder = temporaryFolder();
    const cache = cacheFolder({ folder, mostBytes: 1e6 }, "this");
    await cache.keep(key("one"), await entryOf([1, 2], [3, 4]));
    const path = onlyFile(folder);
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x41;
      writeFileSync(path, damaged);
      expect(await dataOf(cache, "one"), `byte ${at}`).toBeUndefined();
    }
    for (const length of [0, 5, 40, whole.length - 33, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, length));
      expect(await dataOf(cache, "one"), `${length} bytes`).toBeUndefined();
    }
    await cache.keep(key("one"), await entryOf([1, 2]));
    expect(await dataOf(cache, "one")).toEqual([1, 2]);
  });
});

describe("the size", () => {
  test("is kept: the least recently used goes first", async () => {
    const folder = temporaryFolder();
    const roomy = cacheFolder({ folder, mostBytes: 1e6 }, "this");
    const names = ["one", "two", "three"];
    for (const [i, of] of names.entries()) {
      const known = readdirSync(folder);
      await roomy.keep(key(of), await entryOf(of, Array(100).fill(i)));
      const path = join(folder, readdirSync(folder).find((name) => !known.includes(name))!);
      utimesSync(path, DAY * (i + 1), DAY * (i + 1));
    }
    await roomy.recall(key("one"), scratch); // now the last used
    const bytes = statSync(onlyFile(folder)).size;
    const cache = cacheFolder({ folder, mostBytes: 3.5 * bytes }, "this");
    await cache.keep(key("four"), await entryOf("four", Array(100).fill(4)));
    expect(await Promise.all([...names, "four"].map((of) => dataOf(cache, of)))).toEqual([
      "one",
      undefined,
      "three",
      "four",
    ]);
  });

  test("an entry beyond it is left out, and costs the others nothing", async () => {
    const folder = temporaryFolder();
    const cache = cacheFolder({ folder, mostBytes: 1000 }, "this");
    await cache.keep(key("small"), await entryOf("small"));
    expect(await cache.keep(key("large"), await entryOf("large", Array(1000).fill(0)))).toBeUndefined();
    expect(await dataOf(cache, "small")).toBe("small");
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test("of nothing touches no disk", async () => {
    const folder = join(temporaryFolder(), "cache");
    const cache = cacheFolder({ folder, mostBytes: 0 }, "this");
    await cache.keep(key("one"), await entryOf(1));
    expect(await dataOf(cache, "one")).toBeUndefined();
    expect(existsSync(folder)).toBe(false);
  });
});

describe("runs side by side", () => {
  test("keep and recall the same entries, and leave nothing unfinished", async () => {
    const place = { folder: join(temporaryFolder(), "cache"), mostBytes: 1e6 };
    const runs = Array.from({ length: 8 }, () => cacheFolder(place, "this"));
    const told = await Promise.all(
      runs.flatMap((cache) =>
        ["one", "two"].map(async (of) => {
          const known = await dataOf(cache, of);
          expect([undefined, of]).toContain(known);
          return cache.keep(key(of), await entryOf(of, [1, 2, 3]));
        }),
      ),
    );
    expect(told.filter((message) => message !== undefined)).toEqual([]);
    for (const of of ["one", "two"]) expect(await dataOf(runs[0]!, of)).toBe(of);
    expect(readdirSync(place.folder)).toHaveLength(2);
  });

  test("what a run has begun stays for a day, in case that it still runs", async () => {
    const folder = temporaryFolder();
    const cache = cacheFolder({ folder, mostBytes: 1e6 }, "this");
    await cache.keep(key("one"), await entryOf(1));
    const [recent, old] = ["a", "b"].map((letter) => `${onlyFile(folder)}.${letter.repeat(36)}`) as [string, string];
    for (const path of [recent, old]) writeFileSync(path, "half");
    const twoDaysAgo = Date.now() / 1000 - 2 * DAY;
    utimesSync(old, twoDaysAgo, twoDaysAgo);
    await cache.keep(key("two"), await entryOf(2));
    expect([existsSync(recent), existsSync(old)]).toEqual([true, false]);
  });
});

test("a folder that cannot be written is told once, and costs no more", async () => {
  const file = join(temporaryFolder(), "file");
  writeFileSync(file, "");
  const cache = cacheFolder({ folder: join(file, "cache"), mostBytes: 1e6 }, "this");
  expect(await dataOf(cache, "one")).toBeUndefined();
  const message = await cache.keep(key("one"), await entryOf(1));
  expect(message).toMatch(/cannot be kept in .*file.cache \(not a directory\); set COMP_CACHE to another folder$/);
  expect(await cache.keep(key("two"), await entryOf(2))).toBeUndefined();
});

describe("what there is", () => {
  test("is listed, the last used first, and removed without what is not ours", async () => {
    const folder = temporaryFolder();
    const place = { folder, mostBytes: 1e6 };
    const cache = cacheFolder(place, "this");
    await cache.keep(key("one"), await entryOf(1));
    utimesSync(onlyFile(folder), DAY, DAY);
    await cache.keep({ ...key("two"), finding: "own-text" }, await entryOf(2, [1]));
    writeFileSync(join(folder, "thesis.txt"), "dear");
    const { bytes, findings } = await listCache(place);
    expect(findings.map(({ finding, model }) => [finding, model])).toEqual([
      ["own-text", "tiny"],
      ["costs", "tiny"],
    ]);
    expect(findings[1]!.usedAt).toBe(DAY * 1000);
    expect(bytes).toBe(readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0) - 4);
    await emptyCache(place);
    expect(readdirSync(folder)).toEqual(["thesis.txt"]);
    expect((await listCache(place)).findings).toEqual([]);
  });

  test("is nothing where there is no folder", async () => {
    const place = { folder: join(temporaryFolder(), "cache"), mostBytes: 1e6 };
    expect(await listCache(place)).toEqual({ ...place, bytes: 0, findings: [] });
    await emptyCache(place);
    expect(existsSync(place.folder)).toBe(false);
  });
});
