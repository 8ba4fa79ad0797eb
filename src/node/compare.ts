// Comparing presets on this machine: every cell is pruned by a process of its own, judged here, recorded in a folder.
import { readFile, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import type { ComparedCell, CompareEvent, Comparison } from "../events/compare.ts";
import type { Scratch, StoredArray } from "../forward/run/scratch.ts";
import { checkOptions } from "../method/resolve-method.ts";
import { type Model, openModel } from "../model/model.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { CompareOptions } from "../options/compare.ts";
import { presets } from "../options/presets.ts";
import { type CalibrationText, PruneOptions } from "../options/prune.ts";
import { parseOptions } from "../options/schema.ts";
import { renderComparison } from "../report/comparison.ts";
import { type CompareHost, comparePresets, parsePresets } from "../tasks/compare.ts";
import { cutWindows, evaluateText } from "../tasks/evaluate.ts";
import { readDocuments } from "../texts/documents.ts";
import { openTokenizer, type Tokenizer, tokenizerWarnings } from "../tokenizer/tokenizer.ts";
import { openBackend } from "./device.ts";
import { forgetUnfinished, makeFolders, rememberUnfinished, unwritable, writeWhole } from "./disk.ts";
import { withPaths } from "./open-path.ts";
import { probeFolder } from "./output-folder.ts";
import { BESIDE, passingPlace } from "./output-place.ts";
import { removeAbandoned } from "./owner.ts";
import { pruneInChild } from "./prune-child.ts";
import type { ChildJob } from "./prune-child-main.ts";
import { probeScratch, scratchFolder } from "./scratch-folder.ts";
import { type ModelRequest, streamEvents } from "./stream-events.ts";

/** As data, and for a reader. */
const TABLES = ["compare.json", "compare.md"] as const;

export interface CompareRequest extends ModelRequest, Partial<CompareOptions> {
  /** Texts to calibrate on; none: the model's own, or a bundled mix. */
  readonly calibration?: readonly CalibrationText[] | undefined;
  /** What the models are judged on. */
  readonly texts: readonly CalibrationText[];
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
      const { model, calibration = [], texts, output, keep = false, noCache = false, signal: _, ...given } = request;
      const options = parseOptions(CompareOptions, given);
      const job = { model, calibration, texts, output, keep, noCache, options, signal };
      checkCells(job);
      await probeTables(job);
      await probeScratch();
      return { type: "done", comparison: await compareModels(job, report) };
    },
    request,
    `stopped; the cells that are finished stay in ${request.output}`,
  );

/** A request, checked and completed. */
interface Job extends Pick<CompareRequest, "model" | "texts" | "output"> {
  readonly calibration: readonly CalibrationText[];
  readonly keep: boolean;
  readonly noCache: boolean;
  readonly options: CompareOptions;
  readonly signal: AbortSignal;
}

/** Refuses what no preset goes together with; what one of several does not go together with is told in its cells. */
function checkCells(job: Job): void {
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
async function probeTables({ output, keep }: Job): Promise<void> {
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

async function compareModels(job: Job, report: (event: CompareEvent) => void): Promise<Comparison> {
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
      for (const text of texts) cutWindows({ model: dense, tokenizer, text, options });
      for (const text of calibration) readDocuments(text); // a bad row shows at once, not in every cell
      await makeFolders(join(output, "cells")).catch((cause: unknown) => {
        throw unwritable(output, cause);
      });
      const request = { options, calibration, texts, dense: await factsOf(dense) };
      return comparePresets(request, hostOf(job, { backend, dense, tokenizer, scratch, models }), report);
    });
  } finally {
    await rm(models, { recursive: true, force: true });
    forgetUnfinished(models);
    await scratch.clear();
  }
}

interface Workspace {
  readonly backend: Backend;
  readonly dense: Model;
  readonly tokenizer: Tokenizer;
  readonly scratch: Scratch;
  /** Folder of the pruned models for as long as the comparison takes. */
  readonly models: string;
}

function hostOf(job: Job, { backend, dense, tokenizer, scratch, models }: Workspace): CompareHost {
  const { texts, output, keep, signal } = job;
  const remember = rememberingStates(scratch, texts);
  const pathOf = (key: string): string => join(output, "cells", `${key}.json`);
  return {
    async prune(cell, report) {
      const name = `${cell.preset}-${cell.sparsity}`;
      const path = join(models, name);
      const request = { ...pruneRequest(job, cell, path), device: backend.device };
      const result = await pruneInChild({ request, folder: models, signal }, (event) => {
        if (event.type === "stage") report(event);
      });
      return { path: keep ? await moveInto(join(output, "models"), name, path) : path, result };
    },
    judge: (path, text, evalOptions, report) =>
      withPaths(async (open) => {
        const pruned = await openModel(await open(path));
        const denseHidden = remember(text);
        const request = { backend, model: pruned, tokenizer, text, dense, denseHidden, options: evalOptions, signal };
        return evaluateText(request, report);
      }),
    discard: async (path) => (keep ? undefined : rm(path, { recursive: true, force: true })),
    recall: (key) => readFile(pathOf(key), "utf8").catch(() => undefined),
    record: (key, text) => writeWhole(pathOf(key), text),
    publish: (comparison) => writeTables(output, comparison),
    signal,
  };
}

function pruneRequest(
  { model, calibration, noCache, options }: Job,
  cell: ComparedCell,
  output: string,
): ChildJob["request"] {
  const { sparsityOf, prune, widths, multipleOf, samples, calibrationContext, seed, dtype, memory, threads } = options;
  // widths per layer that are not the preset's own would make it another method
  const comparesLayers = presets[cell.preset].criterion === "loss";
  return {
    ...{ model, output, noCache, preset: cell.preset, sparsity: cell.sparsity, calibration: [...calibration] },
    ...{ sparsityOf, prune, multipleOf, samples, context: calibrationContext, seed, dtype, memory, threads },
    ...((widths !== "per-layer" || comparesLayers) && { widths }),
  };
}

/** Puts a model into a folder under its name, in the place of one that is there. @returns its new path */
async function moveInto(folder: string, name: string, path: string): Promise<string> {
  const target = join(folder, name);
  try {
    await makeFolders(folder);
    await rm(target, { recursive: true, force: true });
    await rename(path, target);
    return target;
  } catch (cause) {
    throw unwritable(target, cause);
  }
}

/** The dense model's hidden states on each text: computed for the first cell, then kept on the disk. */
function rememberingStates(scratch: Scratch, texts: readonly CalibrationText[]) {
  const known = new Map<string, StoredArray>();
  return (text: CalibrationText) =>
    async (group: number, compute: () => Promise<Float32Array>): Promise<Float32Array> => {
      const key = `${texts.indexOf(text)} ${group}`;
      const stored = known.get(key);
      if (stored) return stored.read();
      const states = await compute();
      known.set(key, await scratch.put(states));
      return states;
    };
}

async function factsOf(model: Model): Promise<Pick<Comparison, "model" | "fingerprint" | "dense">> {
  const { total, decoderMatrices } = countParameters(model.spec);
  const bytes = [...model.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return {
    model: model.checkpoint.name,
    fingerprint: await model.checkpoint.fingerprint(),
    dense: { parameters: total, decoderParameters: decoderMatrices, bytes },
  };
}

async function writeTables(output: string, comparison: Comparison): Promise<void> {
  const texts = [`${JSON.stringify(comparison, undefined, 2)}\n`, renderComparison(comparison)];
  for (const [i, file] of TABLES.entries()) await writeWhole(join(output, file), texts[i]!);
}
