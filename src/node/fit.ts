// The best model within a limit, on this machine.
import type { FitEvent } from "../events/fit.ts";
import { checkOptions } from "../method/resolve-method.ts";
import { FitOptions } from "../options/fit.ts";
import { PruneOptions } from "../options/prune.ts";
import { parseOptions } from "../options/schema.ts";
import { fitCheckpoint } from "../tasks/fit.ts";
import { pruneCheckpoint } from "../tasks/prune-checkpoint.ts";
import { type ModelRequest, streamEvents } from "./stream-events.ts";
import { formatOf, onWritingHost } from "./writing-host.ts";

export interface FitRequest extends ModelRequest, Partial<FitOptions> {
  /** The folder to write, or the file when it ends in .gguf. */
  readonly output: string;
  /** Replace what stands at `output`; default false. */
  readonly overwrite?: boolean | undefined;
  /** Do without what earlier runs have found out about the model, and keep nothing of it; default false. */
  readonly noCache?: boolean | undefined;
}

/**
 * Finds the best mix of type and pruning within a limit, and writes it.
 *
 * @returns events of the progress; the last is "done" with the mixes and the result
 * @throws {CompError} "budget" when no model meets the limit, naming the nearest that one does; else as `prune`
 */
export const fit = (request: FitRequest): AsyncGenerator<FitEvent> =>
  streamEvents<FitEvent>(
    async (report, signal) => {
      const { model: _, output, overwrite: __, noCache: ___, signal: ____, ...given } = request;
      const options = parseOptions(FitOptions, given);
      const { size: _____, runtimeMemory: ______, runtimeContext: _______, ...rest } = options;
      const pruning = parseOptions(PruneOptions, rest);
      checkOptions(pruning, formatOf(output));
      const writing = { ...request, criterion: undefined, signal };
      return onWritingHost(writing, pruning, async (checkpoint, host) => ({
        type: "done",
        fit: await fitCheckpoint(checkpoint, options, { ...host, prune: pruneCheckpoint }, report),
      }));
    },
    request,
    "stopped; nothing was written",
  );
