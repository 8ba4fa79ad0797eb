import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { withClaim } from "../../src/node/claim.ts";
import { lastingPlace } from "../../src/node/output-place.ts";
import { ownedName } from "../../src/node/owner.ts";
import { compError } from "../helpers/errors.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

/** The name of a claim with something else in the place of this process. */
const claimBy = (of: string, scope?: string): string => {
  const [, own, , start, mark] = of.split("-") as [string, string, string, string, string];
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  return `.comp-${scope ?? own}-${pid}-${start}-${mark}`;
};

/** The name of the claim of an output. */
async function claimOf(path: string): Promise<string> {
  let [claim]: string[] = [];
  await withClaim(path, async () => {
    [claim] = readdirSync(join(path, ".."));
  });
  return claim!;
}

test("of two runs that begin at once on one output one goes on, and the other says why not", async () => {
  const output = join(temporaryFolder(), "deep", "out");
  let inside = 0;
  const both = await Promise.allSettled(
    [0, 1].map(() => withClaim(output, () => new Promise((resolve) => setTimeout(resolve, 1000, ++inside)))),
  );
  expect(inside).toBe(1);
  const [refused] = both.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  expect([refused.kind, refused.message]).toEqual(["output", `another run writes ${output} (process ${process.pid})`]);
  expect(existsSync(dirname(output)) ? readdirSync(dirname(output)) : []).toEqual([]);
  await withClaim(output, async () => undefined); // and then it is free
});

test("outputs beside each other do not stand in each other's way", async () => {
  const folder = temporaryFolder();
  const inner = await withClaim(join(folder, "a"), () => withClaim(join(folder, "b"), async () => 1));
  expect(inner).toBe(1);
});

test("the claim of a process that is gone counts for nothing, that of one elsewhere counts", async () => {
  const folder = temporaryFolder();
  const output = join(folder, "out");
  const claim = await claimOf(output);
  writeFileSync(join(folder, claimBy(claim)), "");
  expect(await withClaim(output, async () => 1)).toBe(1);
  expect(readdirSync(folder)).toEqual([]);
  const elsewhere = claimBy(claim, "00000000");
  writeFileSync(join(folder, elsewhere), "");
  const { message, hint } = await compError(withClaim(output, async () => 1));
  expect(message).toMatch(/^another run writes .*out \(process \d+ of another machine or container\)$/);
  expect(hint).toContain(join(folder, elsewhere));
  expect(readdirSync(folder)).toEqual([elsewhere]);
});

test("what was about to be replaced when a run was killed comes back; what a finished run has left goes", async () => {
  const folder = temporaryFolder();
  const output = join(folder, "out");
  const place = lastingPlace(output);
  const look = () => withClaim(output, async () => readdirSync(folder).filter((name) => !name.includes("claim")));
  mkdirSync(place.staged, { recursive: true });
  expect(await look()).toHaveLength(1); // may be gone on with
  mkdirSync(place.replaced);
  writeFileSync(join(place.replaced, "config.json"), "old");
  expect(await look()).toContain("out");
  expect(readFileSync(join(output, "config.json"), "utf8")).toBe("old");
  mkdirSync(place.replaced, { recursive: true });
  expect(await look()).toEqual(["out"]);
});

test("folders that processes have left which are gone go with them", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, claimBy(`${ownedName(".comp-")}x`)));
  mkdirSync(join(folder, ".comp-mine"));
  await withClaim(join(folder, "out"), async () => undefined);
  expect(readdirSync(folder)).toEqual([".comp-mine"]);
});
