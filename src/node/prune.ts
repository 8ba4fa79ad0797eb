// Pruning on this machine: paths in, a folder or a GGUF file out.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { freemem } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CompError } from "../errors.ts";
import type { PruneEvent } from "../events.ts";
import type { Criterion } from "../importance/criterion.ts";
import type { Criterion as CriterionName, GivenPruneOptions } from "../options.ts";
import { pruneOptions } from "../presets.ts";
import { type Host, pruneCheckpoint } from "../prune-checkpoint.ts";
import { nodeBackend } from "./backend.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { freeBytes } from "./disk.ts";
import { openPath } from "./open-path.ts";
import { stageFile, stageFolder } from "./output-folder.ts";
import { peakBytes } from "./peak-memory.ts";
import { scratchFolder } from "./scratch-folder.ts";

/** Weights that may stay in memory while the model writes its own calibration text, whatever the machine has. */
const RESIDENT_BUDGET_BYTES = 2 ** 30;

const BUNDLED_TEXT = new URL("../../data/calibration-mix.txt", import.meta.url);

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
  const checkpoint = await openPath(model);
  try {
    yield* pruneCheckpoint(checkpoint, options, nodeHost(output, overwrite, options.threads, signal), own);
  } catch (error) {
    if (signal?.aborted && !(error instanceof CompError))
      throw new CompError("aborted", "stopped; nothing was written", { cause: error });
    throw error;
  } finally {
    await checkpoint.close();
  }
}

function nodeHost(
  output: string,
  overwrite: boolean,
  threads: number | undefined,
  signal: AbortSignal | undefined,
): Host {
  const gguf = /\.gguf$/i.test(output);
  return {
    backend: nodeBackend(threads),
    outputFormat: gguf ? "gguf" : "safetensors",
    createOutput: () => (gguf ? stageFile : stageFolder)(output, { overwrite }),
    createScratch: scratchFolder,
    freeBytes: () => freeBytes(existingParent(output)).catch(() => undefined),
    bundledText: async () => ({ name: "bundled mix", text: await readFile(fileURLToPath(BUNDLED_TEXT), "utf8") }),
    collectGarbage,
    residentBudgetBytes: Math.min(RESIDENT_BUDGET_BYTES, 0.5 * freemem()),
    residentBytes: () => process.memoryUsage.rss(),
    peakBytes,
    now: () => performance.now() / 1000,
    signal,
  };
}

function existingParent(path: string): string {
  const absolute = resolve(path);
  return existsSync(absolute) ? absolute : existingParent(dirname(absolute));
}
