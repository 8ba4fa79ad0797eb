// Pruning by a process of its own, so that its peak of memory is its own too: the side of the process that waits for it.
import { type ChildProcess, fork, type StdioOptions } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompError } from "../errors.ts";
import type { PruneEvent, PruneResult } from "../events/prune.ts";
import { childProgram } from "./child-program.ts";
import { forgetUnfinished, rememberUnfinished } from "./disk.ts";
import { ownedName, removeAbandoned } from "./owner.ts";
import type { PruneRequest } from "./prune.ts";
import type { ChildJob, ChildMessage } from "./prune-child-main.ts";

/** Of folders for the temporary files of such processes. */
const PREFIX = "comp-prune-";

export interface ChildRequest {
  readonly request: ChildJob["request"];
  /** Folder of the output; the process removes it should this one die. */
  readonly folder: string;
  readonly signal?: PruneRequest["signal"];
}

/**
 * Prunes in another process, which leaves nothing behind however it ends.
 *
 * @throws {CompError} as `prune`; "budget" when the process died, saying how
 */
export async function pruneInChild(
  { request, folder, signal }: ChildRequest,
  report: (event: PruneEvent) => void,
): Promise<PruneResult> {
  await removeAbandoned(tmpdir(), PREFIX);
  const temporary = await mkdtemp(join(tmpdir(), ownedName(PREFIX)));
  rememberUnfinished(temporary);
  try {
    signal?.throwIfAborted();
    const child = startChild(temporary);
    const stop = (): void => void child.kill("SIGTERM");
    signal?.addEventListener("abort", stop);
    const ended = converse(child, { request, folders: [folder, temporary] }, report);
    const { last, death } = await ended.finally(() => signal?.removeEventListener("abort", stop));
    signal?.throwIfAborted();
    if (last?.type === "done") return last.result;
    if (last?.type === "failure")
      throw new CompError(last.kind, last.message, { ...(last.hint && { hint: last.hint }) });
    throw new CompError("budget", death);
  } finally {
    await rm(temporary, { recursive: true, force: true });
    forgetUnfinished(temporary);
  }
}

/** @param temporary its folder for temporary files, so that they can be removed after it whatever it came to */
function startChild(temporary: string): ChildProcess {
  const env = { ...process.env, TMPDIR: temporary, TMP: temporary, TEMP: temporary };
  const stdio: StdioOptions = ["ignore", "ignore", "ignore", "ipc"];
  const { path, execArgv } = childProgram("prune-child-main");
  return fork(path, { env, execArgv, stdio, serialization: "advanced" });
}

interface Ended {
  /** What the process said at last, if it came to that. */
  readonly last: Exclude<ChildMessage, { type: "event" }> | undefined;
  /** How it ended, in words. */
  readonly death: string;
}

/** Sends the job, passes on the events, and waits until the process is gone and all that it said is read. */
function converse(child: ChildProcess, job: ChildJob, report: (event: PruneEvent) => void): Promise<Ended> {
  let last: Ended["last"];
  child.on("message", (message: ChildMessage) => {
    if (message.type === "event") report(message.event);
    else last = message;
  });
  const disconnected = new Promise<void>((resolve) => child.once("disconnect", resolve));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      const how = signal === null ? `pruning ended with code ${code}` : `pruning was ended by ${signal}`;
      const death = signal === "SIGKILL" ? `${how}: out of memory?` : how;
      void disconnected.then(() => resolve({ last, death }));
    });
    child.send(job, () => {}); // a process that is gone before it heard us has its end to say so
  });
}
