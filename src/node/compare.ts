// Comparing presets on this machine: every cell is pruned by a process of its own, judged here, recorded in a folder.
import { rm, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { parseTasks } from "../benchmarks/index.ts";
import { CompError } from "../errors.ts";
import { cutWindows } from "../evaluate/judged-windows.ts";
import type { CompareEvent, Comparison } from "../events/compare.ts";
import { checkOptions } from "../method/resolve-method.ts";
import { type Model, openModel } from "../model/model.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { roundedBytes } from "../model/write/rounded-model.ts";
import { CompareOptions } from "../options/compare.ts";
import { parseDtypes } from "../options/dtypes.ts";
import { settleJudging } from "../options/protocols.ts";
import { type CalibrationText, PruneOptions } from "../options/prune.ts";
import { parseOptions } from "../options/schema.ts";
import { comparePresets, parsePresets } from "../tasks/compare.ts";
import type { OtherModel } from "../tasks/compare-rows.ts";
import { joinDocuments } from "../texts/documents.ts";
import { type NamedText, overlapWarning } from "../texts/overlap.ts";
import { openTokenizer, tokenizerWarnings } from "../tokenizer/tokenizer.ts";
import { type CompareJob, compareHost, pruneRequest, TABLES } from "./compare-host.ts";
import { openBackend } from "./device.ts";
import { forgetUnfinished, makeFolders, rememberUnfinished, unwritable } from "./disk.ts";
import { withPaths } from "./open-path.ts";
import { probeFolder } from "./output-folder.ts";
import { BESIDE, passingPlace } from "./output-place.ts";
import { removeAbandoned } from "./owner.ts";
import { probeScratch, scratchFolder } from "./scratch-folder.ts";
import { type ModelRequest, streamEvents } from "./stream-events.ts";

export interface CompareRequest extends ModelRequest, Partial<CompareOptions> {
  /** Texts to calibrate on; none: the model's own, or a bundled mix. */
  readonly calibration?: readonly CalibrationText[] | undefined;
  /** What the models are judged on. */
  readonly texts: readonly CalibrationText[];
  /** Other models to compare with, by their paths. */
  readonly against?: readonly string[] | undefined;
  /** Folder with the data of the tasks, as their authors publish it or as the hub has it. */
  readonly taskData?: string | undefined;
  /** The folder for the record of each cell and for the tables. */
  readonly output: string;
  /** Keep the pruned models, in the same folder; default false. */
  readonly keep?: boolean | undefined;
  /** Do without what earlier runs have found out about the model, and keep nothing of it; default false. */
  readonly noCache?: boolean | undefined;
}

/**
 * Compares presets; cells that the output folder has already are not computed again.
 *
 * @returns events of the progress; the last is "done" with the comparison
 * @throws {CompError} "calibration" when a text is too short to judge on; "aborted" after the signal
 */
export const compare = (request: CompareRequest): AsyncGenerator<CompareEvent> =>
  streamEvents<CompareEvent>(
    async (report, signal) => {
      const {
        model,
        calibration = [],
        texts,
        against = [],
        taskData,
        output,
        keep = false,
        noCache = false,
        signal: _,
        ...given
      } = request;
      const options = parseOptions(CompareOptions, given);
      const names = parseTasks(options.tasks, taskData);
      const tasks = names.length === 0 ? undefined : { names, limit: options.limit, data: taskData! };
      const job = { model, calibration, texts, against, output, keep, noCache, options, tasks, signal };
      checkCells(job);
      await probeTables(job);
      await probeScratch();
      return { type: "done", comparison: await compareModels(job, report) };
    },
    request,
    `stopped; the cells that are finished stay in ${request.output}`,
  );

/** Refuses what no preset goes together with; what one of several does not go together with is told in its cells. */
function checkCells(job: CompareJob): void {
  const failures = parsePresets(job.options.presets).map((preset) => {
    const { model: _, output: __, noCache: ___, ...given } = pruneRequest(job, { preset, sparsity: 0 }, "");
    try {
      return checkOptions(parseOptions(PruneOptions, given), "safetensors");
    } catch (error) {
      return error;
    }
  });
  if (failures.every((failure) => failure !== undefined)) throw failures[0];
}

/** Finds out whether everything that comes into the output can be written there. @throws {CompError} "output" when not */
async function probeTables({ output, keep }: CompareJob): Promise<void> {
  await probeFolder(output);
  for (const folder of keep ? ["cells", "models"] : ["cells"]) await probeFolder(join(output, folder));
  for (const file of TABLES) {
    const path = join(output, file);
    if (
      await stat(path).then(
        (present) => present.isDirectory(),
        () => false,
      )
    )
      throw new CompError("output", `${path} is a folder`, { hint: "name another output" });
  }
}

async function compareModels(job: CompareJob, report: (event: CompareEvent) => void): Promise<Comparison> {
  const { options, calibration, texts, output } = job;
  await removeAbandoned(output, BESIDE);
  const models = passingPlace(join(resolve(output), "models")).folder;
  const scratch = scratchFolder();
  rememberUnfinished(models);
  try {
    return await withPaths(async (open) => {
      const dense = await openModel(await open(job.model));
      const backend = await openBackend(options, dense.spec);
      const tokenizer = await openTokenizer(dense.checkpoint);
      for (const message of tokenizerWarnings(dense.checkpoint)) report({ type: "warning", message });
      const judged = texts.map((text) => {
        const { ids } = cutWindows({ model: dense, tokenizer, text, options: settleJudging(options) });
        return { name: text.name, text: tokenizer.decode([...ids]) };
      });
      for (const message of overlapWarnings(judged, calibration)) report({ type: "warning", message });
      await makeFolders(join(output, "cells")).catch((cause: unknown) => {
        throw unwritable(output, cause);
      });
      for (const dtype of parseDtypes(`${options.quantized},${options.dtypes}`)) await roundedBytes(dense, dtype);
      const others = await Promise.all(job.against.map((path) => otherModel(path)));
      const machine = { device: backend.device, cores: availableParallelism() };
      const facts = await factsOf(dense);
      const request = { options, calibration, texts, machine, dense: facts, others, tasks: job.tasks };
      return comparePresets(request, compareHost(job, { backend, dense, tokenizer, scratch, models }), report);
    });
  } finally {
    await rm(models, { recursive: true, force: true });
    forgetUnfinished(models);
    await scratch.clear();
  }
}

/** Of each text, as far as it is judged, with each calibration text; a bad row of these shows here at once, not in every cell. */
const overlapWarnings = (judged: readonly NamedText[], calibration: readonly CalibrationText[]): string[] =>
  calibration.flatMap((source) => {
    const whole = { name: source.name, text: joinDocuments(source) };
    return judged.flatMap((text) => overlapWarning(text, whole) ?? []);
  });

const otherModel = (path: string): Promise<OtherModel> =>
  withPaths(async (open) => {
    const { dense, fingerprint } = await factsOf(await openModel(await open(path)));
    return { against: path, ...dense, fingerprint };
  });

async function factsOf(model: Model): Promise<Pick<Comparison, "model" | "fingerprint" | "dense">> {
  const { total, decoderMatrices } = countParameters(model.spec);
  const bytes = [...model.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return {
    model: model.checkpoint.name,
    fingerprint: await model.checkpoint.fingerprint(),
    dense: { parameters: total, decoderParameters: decoderMatrices, bytes },
  };
}
