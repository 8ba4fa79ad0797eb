// Pruning on this machine: paths in, a folder or a GGUF file out.
import type { PruneEvent } from "../events/prune.ts";
import { checkOptions } from "../method/resolve-method.ts";
import { PruneOptions } from "../options/prune.ts";
import { parseOptions } from "../options/schema.ts";
import { pruneCheckpoint } from "../tasks/prune-checkpoint.ts";
import { streamEvents } from "./stream-events.ts";
import { formatOf, onWritingHost, type WritingRequest } from "./writing-host.ts";

export type PruneRequest = WritingRequest & Partial<Omit<PruneOptions, "criterion">>;

/**
 * Prunes a model on this machine.
 *
 * @returns events of the progress; the last is "done" with the result, unless the run is dry
 * @throws {CompError} whose message says what went wrong and whose hint says how to go on; kind "aborted" after the signal
 */
export const prune = (request: PruneRequest): AsyncGenerator<PruneEvent> =>
  streamEvents((report, signal) => pruneModel({ ...request, signal }, report), request, "stopped; nothing was written");

async function pruneModel(request: PruneRequest, report: (event: PruneEvent) => void): Promise<PruneEvent | undefined> {
  const { model: _, output, overwrite: __, noCache: ___, signal: ____, criterion, ...rest } = request;
  const [name, own] = typeof criterion === "object" ? [undefined, criterion] : [criterion, undefined];
  const options = parseOptions(PruneOptions, { ...rest, criterion: name });
  checkOptions(options, formatOf(output), own);
  return onWritingHost(request, options, async (checkpoint, host) => {
    const result = await pruneCheckpoint(checkpoint, options, host, report, own);
    return result && { type: "done", result };
  });
}
