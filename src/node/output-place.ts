// Where an output is made: in a folder beside it, under a name that is not its own, since whatever carries that is complete.
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ownedName } from "./owner.ts";

/** What a name begins with that is ours, beside an output. */
export const BESIDE = ".comp-";

export interface OutputPlace {
  readonly folder: string;
  /** The output itself, as far as it is made. */
  readonly staged: string;
  /** What stood under the output's name, while it is replaced. */
  readonly replaced: string;
}

/** A place that is of no use once this process is gone. */
export const passingPlace = (target: string): OutputPlace =>
  placeIn(join(dirname(target), `${ownedName(BESIDE)}${randomUUID().slice(0, 8)}`));

/** The place in which a later run finds what one has left that was killed. */
export const lastingPlace = (target: string): OutputPlace =>
  placeIn(join(dirname(target), `${BESIDE}${nameHash(target)}`));

/** Stands for the name of an output. */
export const nameHash = (target: string): string =>
  createHash("sha256").update(basename(target)).digest("hex").slice(0, 16);

const placeIn = (folder: string): OutputPlace => ({
  folder,
  staged: join(folder, "output"),
  replaced: join(folder, "replaced"),
});

/** Puts back what a run was about to replace when it was killed, and removes what one has left that had finished. */
export async function settlePlace(target: string): Promise<void> {
  const { folder, staged, replaced } = lastingPlace(target);
  if (existsSync(replaced) && !existsSync(target)) await rename(replaced, target);
  if (existsSync(replaced) || !existsSync(staged)) await rm(folder, { recursive: true, force: true });
}
