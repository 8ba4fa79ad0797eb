import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ownedName, ownerOf, removeAbandoned, stateOf } from "../../src/node/owner.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

/** This process, as a name tells it. */
const self = ownerOf(`${ownedName("a-")}x`, "a-")!;
/** A process that has been there. */
const { pid: ended } = spawnSync(process.execPath, ["-e", ""]);

test("a name tells its process, if it begins as it should", () => {
  expect(self).toMatchObject({ pid: process.pid });
  for (const name of [`${ownedName("b-")}x`, ownedName("a-"), "a-x", `a-${ownedName("a-")}x`])
    expect(ownerOf(name, "a-")).toBeUndefined();
});

test("a process runs, is gone, or is where nobody can tell", () => {
  expect(stateOf(self)).toBe("running");
  expect(stateOf({ ...self, pid: ended })).toBe("gone");
  expect(stateOf({ ...self, scope: "00000000" })).toBe("elsewhere");
});

test.skipIf(!existsSync("/proc/self/stat"))(
  "its number given to another, or killed and not yet missed, it is gone",
  async () => {
    expect(stateOf({ ...self, start: self.start + 1 })).toBe("gone");
    // the shell becomes a program that never asks what has become of the child
    const parent = spawn("sh", ["-c", "sleep 100 & echo $!; exec sleep 100"]);
    const child = {
      ...self,
      pid: Number(await new Promise((resolve) => parent.stdout.once("data", resolve))),
      start: 0,
    };
    expect(stateOf(child)).toBe("running");
    process.kill(child.pid, "SIGKILL");
    await expect.poll(() => stateOf({ ...child, start: 1 })).toBe("gone");
    parent.kill("SIGKILL");
  },
);

test("what is gone leaves goes, and nothing else", async () => {
  const folder = temporaryFolder();
  const gone = `a-${self.scope}-${ended}-${self.start}-x`;
  const others = [`${ownedName("a-")}x`, `a-00000000-${ended}-1-x`, `b-${self.scope}-${ended}-1-x`, "a-x"].sort();
  for (const name of [gone, ...others]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, gone, "file"), "x");
  await removeAbandoned(folder, "a-");
  expect(readdirSync(folder)).toEqual(others);
  await removeAbandoned(join(folder, "nowhere"), "a-");
});
