// To which process a file belongs, told by its name: what a process has left that was killed goes at the next start of another.
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

/** A process. Numbers of processes come again, and then with another start. */
export interface Owner {
  /** The machine, or the container, within which the number means anything: folders may be shared beyond it. */
  readonly scope: string;
  readonly pid: number;
  /** Clock ticks since the machine was started; 0 where the system does not tell. */
  readonly start: number;
}

/** What has become of a process; of one elsewhere nobody here can tell. */
export type OwnerState = "running" | "gone" | "elsewhere";

const NAME = /^([0-9a-f]{8})-(\d+)-(\d+)-\w+$/;

/** @returns the beginning of a name that belongs to this process; letters or digits that make it unique have to follow */
export const ownedName = (prefix: string): string => `${prefix}${SELF.scope}-${SELF.pid}-${SELF.start}-`;

/** Whose a name is that begins with a prefix; undefined where it is nobody's. */
export function ownerOf(name: string, prefix: string): Owner | undefined {
  const [, scope, pid, start] = (name.startsWith(prefix) && NAME.exec(name.slice(prefix.length))) || [];
  return scope === undefined ? undefined : { scope, pid: Number(pid), start: Number(start) };
}

export function stateOf({ scope, pid, start }: Owner): OwnerState {
  if (scope !== SELF.scope) return "elsewhere";
  if (!isThere(pid)) return "gone";
  const now = startOf(pid);
  return now === undefined || start === 0 || now === start ? "running" : "gone";
}

/** Removes what processes that are gone have left in a folder under names of theirs, as far as the system lets us. */
export async function removeAbandoned(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const owner = ownerOf(name, prefix);
    if (owner === undefined || stateOf(owner) !== "gone") continue;
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** A process that must not be signalled is there too. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Undefined where the system does not tell. One that was killed and waits to be noticed by its parent no longer has one. */
function startOf(pid: number): number | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" "); // the program's name, which may hold anything, is before
    return /^[ZX]$/.test(fields[0]!) ? -1 : Number(fields[19]);
  } catch {
    return undefined;
  }
}

function numbersOfProcesses(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

const SELF: Owner = {
  scope: createHash("sha256").update(`${hostname()} ${numbersOfProcesses()}`).digest("hex").slice(0, 8),
  pid: process.pid,
  start: startOf(process.pid) ?? 0,
};
