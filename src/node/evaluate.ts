// Judging a model on this machine, on a text, on tasks and on probes: paths in, events out.
import { freemem } from "node:os";
import { parseTasks } from "../benchmarks/index.ts";
import { CompError } from "../errors.ts";
import type { EvalEvent } from "../events/model.ts";
import { openModel } from "../model/model.ts";
import { EvalOptions } from "../options/eval.ts";
import { settleJudging } from "../options/protocols.ts";
import type { CalibrationText } from "../options/prune.ts";
import { parseOptions } from "../options/schema.ts";
import { calibrationWarning, evaluateText } from "../tasks/evaluate.ts";
import { evaluateBenchmarks } from "../tasks/evaluate-benchmarks.ts";
import { evaluateProbes } from "../tasks/evaluate-probes.ts";
import { openTokenizer, tokenizerWarnings } from "../tokenizer/tokenizer.ts";
import { openBackend } from "./device.ts";
import { RESIDENT_SHARE } from "./host.ts";
import { folderSource, withPaths } from "./open-path.ts";
import { type ModelRequest, streamEvents } from "./stream-events.ts";

export interface EvaluateRequest extends ModelRequest, Partial<EvalOptions> {
  /** What it is judged on; may be left out where there are tasks. */
  readonly text?: CalibrationText | undefined;
  /** The model before pruning, to compare with on the text. */
  readonly dense?: string | undefined;
  /** Folder with the data of the tasks, as their authors publish it or as the hub has it. */
  readonly taskData?: string | undefined;
}

/**
 * Measures the perplexity of a model on a text and, with a dense model, KL divergence and agreement; and its accuracy on tasks.
 *
 * @returns events of the progress; the last is "done" with the figures
 * @throws {CompError} "calibration" when the text has not one window or data of a task is missing, "option" when the model has
 *   tokens that the dense one has not, there is no such task, or nothing to judge on
 */
export const evaluate = (request: EvaluateRequest): AsyncGenerator<EvalEvent> =>
  streamEvents<EvalEvent>(async (report, signal) => {
    const { model: path, dense: densePath, text, taskData, signal: _, ...given } = request;
    const options = parseOptions(EvalOptions, given);
    const judging = settleJudging(options);
    const names = parseTasks(options.tasks, taskData);
    checkSubjects({ text, densePath, names, probes: options.probes });
    const start = performance.now();
    return withPaths(async (open) => {
      const model = await openModel(await open(path));
      const dense = densePath === undefined ? undefined : await openModel(await open(densePath));
      const tokenizer = await openTokenizer(model.checkpoint);
      for (const message of tokenizerWarnings(model.checkpoint)) report({ type: "warning", message });
      const backend = await openBackend(options, model.spec);
      const shared = { backend, model, tokenizer, signal };
      const onText = text && { ...shared, text, dense, options: judging };
      const warning = onText && (await calibrationWarning(onText));
      if (warning !== undefined) report({ type: "warning", message: warning });
      const judged = onText && (await evaluateText(onText, report));
      const data = taskData === undefined ? undefined : folderSource(taskData);
      const tasks = data && (await evaluateBenchmarks({ ...shared, names, data, limit: options.limit }, report));
      const budgetBytes = RESIDENT_SHARE * freemem();
      const asked = { ...shared, seed: options.seed, budgetBytes };
      const probes = options.probes ? await evaluateProbes(asked, report) : undefined;
      const extent = { model: model.checkpoint.name, device: backend.device };
      const seconds = (performance.now() - start) / 1000;
      return {
        type: "done",
        result: { ...judged, ...(tasks && { tasks }), ...(probes && { probes }), ...extent, seconds },
      };
    });
  }, request);

/** Refuses to judge on nothing, and to compare on none. */
function checkSubjects({
  text,
  densePath,
  names,
  probes,
}: Pick<EvaluateRequest, "text" | "probes"> & { densePath: string | undefined; names: readonly string[] }): void {
  if (text === undefined && names.length === 0 && !probes)
    throw new CompError("option", "there is nothing to judge the model on", { hint: "give a text, tasks or probes" });
  if (text === undefined && densePath !== undefined)
    throw new CompError("option", "a dense model is compared on a text, and there is none");
}
