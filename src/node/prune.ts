// Pruning on this machine: paths in, a folder or a GGUF file out.
import { existsSync, realpathSync } from "node:fs";
import { sep } from "node:path";
import { CompError } from "../errors.ts";
import type { PruneEvent } from "../events/prune.ts";
import type { Criterion } from "../importance/criterion.ts";
import { pruneOptions } from "../method/presets.ts";
import type { Criterion as CriterionName, GivenPruneOptions } from "../options/prune.ts";
import { pruneCheckpoint } from "../tasks/prune-checkpoint.ts";
import { nodeHost } from "./host.ts";
import { openPath } from "./open-path.ts";
import { stageFile, stageFolder } from "./output-folder.ts";

export interface PruneRequest extends Partial<Omit<GivenPruneOptions, "criterion">> {
  /** The name of a criterion, or one of one's own. */
  readonly criterion?: CriterionName | Criterion | undefined;
  /** A Hugging Face folder or a GGUF file. */
  readonly model: string;
  /** The folder to write, or the file when it ends in .gguf. */
  readonly output: string;
  /** Replace what stands at `output`; default false. */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Prunes a model on this machine.
 *
 * @returns events of the progress; the last is "done" with the result, unless the run is dry
 * @throws {CompError} whose message says what went wrong and whose hint says how to go on; kind "aborted" after the signal
 */
export async function* prune(request: PruneRequest): AsyncGenerator<PruneEvent> {
  const { model, output, overwrite = false, signal, criterion, ...rest } = request;
  const own = typeof criterion === "object" ? criterion : undefined;
  const given = pruneOptions(own === undefined && criterion !== undefined ? { ...rest, criterion } : rest);
  const options = own === undefined ? given : { ...given, criterion: own.name };
  if (existsSync(output) && !overwrite && !options.dryRun) {
    throw new CompError("output", `${output} exists already`, { hint: "name another output, or add --overwrite" });
  }
  if (!options.dryRun) checkApart(model, output);
  const outputFormat = /\.gguf$/i.test(output) ? "gguf" : "safetensors";
  const createOutput = () => (outputFormat === "gguf" ? stageFile : stageFolder)(output, { overwrite });
  const checkpoint = await openPath(model);
  try {
    const host = { ...nodeHost({ outputFormat, place: output, threads: options.threads, signal }), createOutput };
    yield* pruneCheckpoint(checkpoint, options, host, own);
  } catch (error) {
    if (signal?.aborted && !(error instanceof CompError))
      throw new CompError("aborted", "stopped; nothing was written", { cause: error });
    throw error;
  } finally {
    await checkpoint.close();
  }
}

/** Overwriting must not take the model away that is read. @throws {CompError} "output" */
function checkApart(model: string, output: string): void {
  if (!existsSync(model) || !existsSync(output)) return;
  const [source, target] = [realpathSync(model), realpathSync(output)];
  if (source !== target && !source.startsWith(target + sep)) return;
  throw new CompError("output", `${output} is${source === target ? "" : " the folder of"} the model that is read`, {
    hint: "name another output",
  });
}
