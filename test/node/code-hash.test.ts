import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { codeHash } from "../../src/node/code-hash.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

test("other code has another hash, in whatever folder it lies, and nothing else changes it", () => {
  const root = temporaryFolder();
  mkdirSync(join(root, "linalg"));
  writeFileSync(join(root, "linalg", "solve.js"), "a");
  const before = codeHash(root);
  writeFileSync(join(root, "notes.md"), "no code");
  writeFileSync(join(root, "linalg", "solve.js"), "a");
  expect(codeHash(root)).toBe(before);
  writeFileSync(join(root, "linalg", "solve.js"), "b");
  const changed = codeHash(root);
  renameSync(join(root, "linalg", "solve.js"), join(root, "linalg", "solver.js"));
  expect(new Set([before, changed, codeHash(root), codeHash()]).size).toBe(4);
});
