// One run at a time for an output: a run claims it by a file beside it, whose name tells the process. A claim of a process that is
// gone counts for nothing, so that there is no lock to be taken over, and none to be fought about.
import { randomUUID } from "node:crypto";
import { readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { CompError } from "../errors.ts";
import { forgetUnfinished, makeFolders, rememberUnfinished, removeEmptyFolders, unwritable } from "./disk.ts";
import { BESIDE, nameHash, settlePlace } from "./output-place.ts";
import { checkFolder } from "./output-target.ts";
import { type Owner, ownedName, ownerOf, removeAbandoned, stateOf } from "./owner.ts";

/** Of runs that start at the same moment each may see the other and step back; then it is tried again. */
const TRIES = 5;
const MOST_MILLISECONDS_BETWEEN = 100;

/**
 * Keeps other runs off an output for as long as `use` takes. Makes the folders above it, and removes what is beside it of runs that
 * are gone, but for what can be gone on with.
 *
 * @throws {CompError} "output" when another run writes it, or the disk refuses
 */
export async function withClaim<T>(path: string, use: () => Promise<T>): Promise<T> {
  const target = resolve(path);
  const folder = dirname(target);
  await checkFolder(path, folder);
  const orUnwritable = (cause: unknown): never => {
    throw unwritable(path, cause);
  };
  const created = await makeFolders(folder).catch(orUnwritable);
  let claim: string | undefined;
  try {
    claim = await claimOutput(path, target).catch(orUnwritable);
    await settlePlace(target).catch(orUnwritable);
    return await use();
  } finally {
    if (claim !== undefined) await withdraw(claim);
    if (created !== undefined) await removeEmptyFolders(folder, created);
  }
}

/** @returns the path of the claim */
async function claimOutput(path: string, target: string, tries = TRIES): Promise<string> {
  const folder = dirname(target);
  const mark = `claim_${nameHash(target)}_`;
  const claim = `${ownedName(BESIDE)}${mark}${randomUUID().slice(0, 8)}`;
  rememberUnfinished(join(folder, claim));
  await makeFolders(folder); // another that steps back may take away what it has made
  await writeFile(join(folder, claim), "");
  await removeAbandoned(folder, BESIDE);
  const other = (await readdir(folder)).find((name) => name !== claim && name.includes(mark) && ownerOf(name, BESIDE));
  if (other === undefined) return join(folder, claim);
  await withdraw(join(folder, claim));
  if (tries <= 1) throw takenBy(path, join(folder, other), ownerOf(other, BESIDE)!);
  await setTimeout(Math.random() * MOST_MILLISECONDS_BETWEEN);
  return claimOutput(path, target, tries - 1);
}

async function withdraw(claim: string): Promise<void> {
  await rm(claim, { force: true });
  forgetUnfinished(claim);
}

function takenBy(path: string, claim: string, owner: Owner): CompError {
  if (stateOf(owner) !== "elsewhere")
    return new CompError("output", `another run writes ${path} (process ${owner.pid})`, {
      hint: "wait for it, or name another output",
    });
  return new CompError("output", `another run writes ${path} (process ${owner.pid} of another machine or container)`, {
    hint: `wait for it; if it is no more, remove ${claim}`,
  });
}
