// One cell of a comparison pruned by a process of its own, so that its peak of memory is its own too.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { CompError } from "../errors.ts";
import type { ComparedCell } from "../events/compare.ts";
import type { PruneEvent } from "../events/prune.ts";
import { presets } from "../method/presets.ts";
import type { CompareOptions } from "../options/compare.ts";

export interface ChildJob {
  readonly model: string;
  readonly cell: ComparedCell;
  readonly options: CompareOptions;
  /** Files to calibrate on. */
  readonly calibration: readonly string[];
  /** Where the pruned model goes. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `comp prune` by the program that is running now, and passes on its events.
 *
 * @throws {CompError} "budget" with what the process said when it failed, or how it died
 */
export async function* pruneInChild(job: ChildJob): AsyncGenerator<PruneEvent> {
  const program = [...process.execArgv, process.argv[1]!];
  const child = spawn(process.execPath, [...program, ...argumentsOf(job)], { stdio: ["ignore", "pipe", "pipe"] });
  const stop = (): void => void child.kill("SIGTERM");
  job.signal?.addEventListener("abort", stop);
  const ended = endOf(child);
  try {
    for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as PruneEvent;
    const failure = await ended;
    job.signal?.throwIfAborted();
    if (failure !== undefined) throw new CompError("budget", failure);
  } finally {
    job.signal?.removeEventListener("abort", stop);
    child.kill("SIGTERM"); // does nothing to one that has ended
    await ended;
  }
}

/** What went wrong, once the process is gone; undefined when nothing did. */
function endOf(child: ChildProcess): Promise<string | undefined> {
  let said = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(undefined);
      const message = said
        .split("\n")
        .findLast((line) => line.startsWith("comp: ") && !line.startsWith("comp: warning"));
      const how = signal === null ? `pruning ended with code ${code}` : `pruning was ended by ${signal}`;
      resolve(message?.slice("comp: ".length) ?? (signal === "SIGKILL" ? `${how}: out of memory?` : how));
    });
  });
}

/** Whether widths per layer are the preset's own: asked of another, they would make it another method. */
const comparesLayers = ({ preset }: ComparedCell): boolean => presets[preset].criterion === "loss";

function argumentsOf({ model, cell, options, calibration, path }: ChildJob): string[] {
  const { sparsityOf, prune, widths, multipleOf, samples, calibrationContext, seed, dtype, threads } = options;
  const flags = {
    preset: cell.preset,
    sparsity: cell.sparsity,
    "sparsity-of": sparsityOf,
    prune,
    widths: widths === "per-layer" && !comparesLayers(cell) ? undefined : widths,
    "multiple-of": multipleOf,
    samples,
    context: calibrationContext,
    seed,
    dtype,
    threads,
    output: path,
  };
  return [
    "prune",
    ...Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    ...calibration.map((file) => `--calibration=${file}`),
    "--overwrite",
    "--json",
    "--",
    model,
  ];
}
