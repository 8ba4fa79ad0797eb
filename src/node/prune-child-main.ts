// Pruning by a process of its own: the side of that process. One message comes in, the job; events go out, and at last the
// result or what went wrong. Nobody imports this file for its values: `fork` starts it (prune-child.ts).
import { CompError, type ErrorKind } from "../errors.ts";
import type { PruneEvent, PruneResult } from "../events/prune.ts";
import { rememberUnfinished, removeUnfinished } from "./disk.ts";
import { type PruneRequest, prune } from "./prune.ts";

export interface ChildJob {
  /** As data: no signal, and no criterion but by its name. */
  readonly request: Omit<PruneRequest, "signal" | "criterion">;
  /** Folders of the parent's that are for this process alone: should the parent die, nobody else removes them. */
  readonly folders: readonly string[];
}

export type ChildMessage =
  | { readonly type: "event"; readonly event: PruneEvent }
  | { readonly type: "done"; readonly result: PruneResult }
  | {
      readonly type: "failure";
      readonly kind: ErrorKind;
      readonly message: string;
      readonly hint: string | undefined;
    };

const STOPPED = 143; // as a shell tells of SIGTERM

function stop(): never {
  removeUnfinished();
  process.exit(STOPPED);
}

process.on("SIGTERM", stop);
process.on("SIGINT", () => {}); // a terminal sends it to the parent too, which decides
process.on("disconnect", stop); // the parent is gone

process.once("message", async ({ request, folders }: ChildJob) => {
  for (const folder of folders) rememberUnfinished(folder);
  const last = await run(request);
  process.off("disconnect", stop);
  process.send!(last, () => process.disconnect());
});

async function run(request: ChildJob["request"]): Promise<ChildMessage> {
  try {
    for await (const event of prune(request)) {
      if (event.type === "done") return event;
      process.send!({ type: "event", event } satisfies ChildMessage);
    }
    throw new Error("pruning ended without a result");
  } catch (error) {
    if (error instanceof CompError)
      return { type: "failure", kind: error.kind, message: error.message, hint: error.hint };
    const [line] = String(error instanceof Error ? error.message : error).split("\n", 1);
    return { type: "failure", kind: "budget", message: `unexpected error: ${line!.trim()}`, hint: undefined };
  }
}
