// What cannot be written is refused before the model is looked at, which here is none; and nothing is left behind.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { compare } from "../../src/node/compare.ts";
import { makeFolders } from "../../src/node/disk.ts";
import { curve } from "../../src/node/measure.ts";
import { type PruneRequest, prune } from "../../src/node/prune.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { compError } from "../helpers/errors.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const NOWHERE = join(import.meta.dirname, "no-such-model");
const TEXT = { name: "a.txt", text: "The old man went to the sea. ".repeat(400) };

afterEach(() => void vi.unstubAllEnvs());

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

const pruning = (output: string, options: Partial<PruneRequest> = {}) =>
  drain(prune({ model: NOWHERE, sparsity: 0.2, output, ...options }));

const comparing = (output: string, options: object = {}) =>
  drain(compare({ model: NOWHERE, texts: [TEXT], presets: "wanda-sp", output, ...options }));

/** A folder of obstacles. */
function obstacles(): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  for (const name of ["real", "taken.gguf", "model", "cells", "tables"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "model/config.json"), "{}");
  writeFileSync(join(folder, "cells/cells"), "");
  mkdirSync(join(folder, "tables/compare.md"));
  symlinkSync("real", join(folder, "link"));
  symlinkSync("nowhere", join(folder, "dangling"));
  symlinkSync("file", join(folder, "link.gguf"));
  return folder;
}

const everything = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();

describe("pruning", () => {
  test.each([
    ["file/sub", "file is not a folder"],
    ["file/sub.gguf", "file is not a folder"],
    ["file/a/b/c", "file is not a folder"],
    ["file", "is not a folder"],
    ["link", "is not a folder but a link"],
    ["dangling", "is not a folder but a link"],
    ["dangling/sub", "dangling is a link that leads to no folder"],
    ["link.gguf", "is not a file but a link"],
    ["taken.gguf", "is not a file"],
    ["x".repeat(300), "name too long"],
  ])("into %s", async (name, message) => {
    const folder = obstacles();
    const before = everything(folder);
    for (const overwrite of [false, true]) {
      const error = await compError(pruning(join(folder, name), { overwrite }));
      expect([error.kind, error.message]).toEqual(["output", expect.stringContaining(message)]);
      expect(error.hint).toBeDefined();
    }
    expect(everything(folder)).toEqual(before);
  });

  test.each(["/proc/sys/x", "/proc/x", "/proc/no/such/folder", "/proc/x.gguf"])("into %s", async (output) => {
    if (!existsSync("/proc/sys")) return;
    const { kind, message } = await compError(pruning(output, { overwrite: true }));
    expect([kind, message]).toEqual(["output", expect.stringMatching(/^(cannot write|no permission to write) \/proc/)]);
    expect(message).not.toContain(".comp-");
  });

  test("into a folder that is there, and into a disk's own", async () => {
    const folder = obstacles();
    expect((await compError(pruning(join(folder, "model")))).message).toContain("exists already");
    if (existsSync("/proc/sys"))
      expect((await compError(pruning("/proc", { overwrite: true }))).message).toContain("where a disk is mounted");
    expect((await compError(pruning(""))).message).toBe("the output has no name");
  });

  test("into a folder that nobody may write", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "locked"));
    if (!lock(join(folder, "locked"))) return;
    const { message } = await compError(pruning(join(folder, "locked", "out")));
    expect(message).toBe(`no permission to write ${join(folder, "locked", "out")}`);
    unlock(join(folder, "locked"));
  });

  test("otherwise the model is looked at, and the folders made for the output are gone", async () => {
    const folder = temporaryFolder();
    for (const output of ["a/b/c", "a/b.gguf"])
      expect((await compError(pruning(join(folder, output)))).message).toBe(`${NOWHERE} does not exist`);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a dry run looks at no output and writes nothing", async () => {
    const folder = obstacles();
    const before = everything(folder);
    vi.stubEnv("TMPDIR", join(folder, "nowhere"));
    for (const output of ["model", "file/sub", "new/sub"])
      await drain(prune({ model: DEMO_MODEL, sparsity: 0.2, dryRun: true, output: join(folder, output) }));
    expect(everything(folder)).toEqual(before);
  });
});

describe("comparing", () => {
  test.each([
    ["file", "file is not a folder"],
    ["file/sub", "file is not a folder"],
    ["dangling", "dangling is a link that leads to no folder"],
    ["cells", "cells/cells is not a folder"],
    ["tables", "tables/compare.md is a folder"],
  ])("in %s", async (name, message) => {
    const folder = obstacles();
    const before = everything(folder);
    const error = await compError(comparing(join(folder, name)));
    expect([error.kind, error.message]).toEqual(["output", expect.stringContaining(message)]);
    expect(everything(folder)).toEqual(before);
  });

  test("otherwise the model is looked at, and nothing is left; a link to a folder is one", async () => {
    const folder = obstacles();
    const before = everything(folder);
    for (const output of ["link", "real", "new/deep"])
      expect((await compError(comparing(join(folder, output), { keep: true }))).message).toContain("does not exist");
    expect(everything(folder)).toEqual(before);
  });

  test("in /proc", async () => {
    if (existsSync("/proc/sys")) expect((await compError(comparing("/proc/sys/x"))).kind).toBe("output");
  });
});

describe("without scratch space", () => {
  test.each<[string, (output: string) => Promise<void>]>([
    ["pruning", pruning],
    ["comparing", comparing],
    ["a curve", () => drain(curve({ model: NOWHERE }))],
  ])("%s", async (_, start) => {
    const folder = obstacles();
    for (const name of ["nowhere", "file"]) {
      vi.stubEnv("TMPDIR", join(folder, name));
      const { kind, message, hint } = await compError(start(join(folder, "out")));
      expect([kind, message]).toEqual([
        "output",
        expect.stringContaining(`temporary files in ${join(folder, name)}: `),
      ]);
      expect(hint).toBe("set TMPDIR to a folder with some gigabytes of room");
    }
    expect(existsSync(join(folder, "out"))).toBe(false);
  });
});

describe("options that exclude each other, whatever the model", () => {
  test.each<[Partial<PruneRequest>, string]>([
    [{ prune: "mlp", heads: 1 }, "--prune mlp does not go with --heads"],
    [{ allocation: "global" }, "--allocation global does not go with --criterion loss"],
    [{ preset: "shortgpt", prune: "mlp" }, "--preset shortgpt removes whole layers, --prune mlp leaves them all"],
    [{ widths: "equal", spare: [1, 1] }, "--widths equal does not go with --spare 1,1"],
    [{ widths: "equal", allocation: "loss" }, "--widths equal does not go with --allocation loss"],
    [{ dtype: "q8_0" }, "--dtype q8_0 is for GGUF files, the output is a folder"],
  ])("%j", async (options, message) => {
    const error = await compError(pruning(join(temporaryFolder(), "out"), options));
    expect([error.kind, error.message]).toEqual(["option", message]);
  });

  test("for a curve, and for every method of a comparison", async () => {
    expect((await compError(drain(curve({ model: NOWHERE, allocation: "global" })))).kind).toBe("option");
    const output = join(temporaryFolder(), "out");
    expect((await compError(comparing(output, { dtype: "q8_0" }))).kind).toBe("option");
    expect((await compError(comparing(output, { presets: "shortgpt", prune: "mlp" }))).kind).toBe("option");
    const mixed = await compError(comparing(output, { presets: "shortgpt,flap", prune: "mlp" }));
    expect(mixed.message).toContain("does not exist");
  });
});

test("folders are made from the top, and unmade when one of them cannot be", async () => {
  const folder = temporaryFolder();
  expect(await makeFolders(folder)).toBeUndefined();
  expect(await makeFolders(join(folder, "a/b/c"))).toBe(join(folder, "a"));
  await expect(makeFolders(join(folder, "d/e", "x".repeat(300)))).rejects.toThrow("ENAMETOOLONG");
  expect(readdirSync(folder)).toEqual(["a"]);
});

/** Takes the right to write; false where that cannot be done: root writes everywhere but on a read-only disk. */
function lock(folder: string): boolean {
  chmodSync(folder, 0o555);
  if (process.getuid?.() !== 0) return process.platform !== "win32";
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function unlock(folder: string): void {
  if (process.getuid?.() === 0) execFileSync("umount", [folder]);
}
