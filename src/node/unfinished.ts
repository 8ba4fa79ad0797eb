// Staged outputs of this process, so that a process that has to end at once can take them along.
import { rmSync } from "node:fs";

const staged = new Set<string>();

/** Remembers a path to be removed should the process be cut short. */
export const rememberUnfinished = (path: string): void => void staged.add(path);

export const forgetUnfinished = (path: string): void => void staged.delete(path);

/** Removes everything remembered, synchronously: for the last moment of a process. */
export function removeUnfinished(): void {
  for (const path of staged) rmSync(path, { recursive: true, force: true });
  staged.clear();
}
