import { statfsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CompError } from "../../src/errors.ts";
import { freeBytes, unwritable } from "../../src/node/disk.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

test.each([
  ["ENOSPC", "the disk is full: cannot write out/a"],
  ["EDQUOT", "the disk is full: cannot write out/a"],
  ["EACCES", "no permission to write out/a"],
  ["EROFS", "no permission to write out/a"],
  ["EIO", "cannot write out/a: EIO happened"],
])("%s becomes one clear line", (code, message) => {
  const error = unwritable("out/a", Object.assign(new Error(`${code} happened`), { code }));
  expect(error).toMatchObject({ kind: "output", message });
});

test("an error that is clear already passes unchanged", () => {
  const error = new CompError("output", "said");
  expect(unwritable("out/a", error)).toBe(error);
});

test("free space is that of the disk which would hold the path", async () => {
  const folder = temporaryFolder();
  const { blocks, bsize } = statfsSync(folder);
  const free = await freeBytes(join(folder, "not", "there", "yet"));
  expect(free).toBeGreaterThan(0);
  expect(free).toBeLessThanOrEqual(blocks * bsize);
});
