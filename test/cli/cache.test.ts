// comp cache, on a folder of its own.
import { readdirSync } from "node:fs";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { renderCache } from "../../src/cli/cache.ts";
import { runCommandLine } from "../../src/cli/run.ts";
import * as library from "../../src/index.ts";
import { cacheFolder } from "../../src/node/cache-folder.ts";
import { captureScreen } from "../helpers/captured-screen.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

let folder: string;
beforeEach(async () => {
  folder = temporaryFolder();
  vi.stubEnv("COMP_CACHE", folder);
  vi.stubEnv("COMP_CACHE_SIZE", "2GB");
  const cache = cacheFolder({ folder, mostBytes: 1e6 }, "this");
  for (const of of ["one", "two"])
    await cache.keep({ finding: "own-text", model: "/models/tiny", of }, { data: of, arrays: [] });
});

async function run(...argv: string[]) {
  const captured = captureScreen();
  const { signal } = new AbortController();
  const surroundings = {
    version: "1",
    loadLibrary: async () => library,
    screen: captured.screen,
    signal,
    debug: false,
  };
  const code = await runCommandLine(["cache", ...argv], surroundings);
  return { code, out: captured.out(), err: captured.err() };
}

test("shows folder, size and what is known of each model", async () => {
  const { code, out } = await run();
  expect(code).toBe(0);
  const [head, ...rows] = out.trimEnd().split("\n");
  expect(head).toMatch(/: \d+ B of at most 2\.0 GB$/);
  expect(head!.startsWith(`${folder}: `)).toBe(true);
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatch(/^ {2}tiny {2}own-text +2 +\d+ B {2}used \d{4}-\d\d-\d\d$/);
  expect(readdirSync(folder)).toHaveLength(2);
});

test("as JSON it is one object", async () => {
  const contents = JSON.parse((await run("--json")).out);
  expect(contents).toMatchObject({ folder, mostBytes: 2e9, findings: [{ model: "tiny" }, { model: "tiny" }] });
});

test("--clear removes it, saying how much", async () => {
  const { code, out } = await run("--clear");
  expect(code).toBe(0);
  expect(out).toMatch(/: \d+ B removed\n$/);
  expect(readdirSync(folder)).toEqual([]);
  expect((await run()).out).toBe(`${folder}: 0 B of at most 2.0 GB\n`);
});

test("models of different names have rows of one shape", () => {
  const found = { finding: "costs", bytes: 1000, usedAt: 0 };
  const findings = [
    { ...found, model: "a" },
    { ...found, model: "longer" },
  ];
  expect(renderCache({ folder: "/c", mostBytes: 1e9, bytes: 2000, findings }).slice(1)).toEqual([
    "  a       costs                   1     1.0 kB  used 1970-01-01",
    "  longer  costs                   1     1.0 kB  used 1970-01-01",
  ]);
});

describe("is refused", () => {
  test("a model, since it is about none", async () => {
    const { code, err } = await run("./model");
    expect(code).toBe(2);
    expect(err).toContain("comp: cache is about no model in particular, got ./model\n  for example: comp cache\n");
  });

  test("a size that is none", async () => {
    vi.stubEnv("COMP_CACHE_SIZE", "much");
    const { code, err } = await run();
    expect(code).toBe(2);
    expect(err).toContain("comp: COMP_CACHE_SIZE must be a size such as 500MB or 5GB, got much");
  });
});
