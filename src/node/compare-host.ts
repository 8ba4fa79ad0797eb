// A comparison on this machine: cells pruned by processes of their own, models judged here, records and tables in a folder.
import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Backend } from "../compute/backend.ts";
import { cutWindows } from "../evaluate/judged-windows.ts";
import type { ComparedCell, Comparison } from "../events/compare.ts";
import type { Scratch, StoredArray } from "../forward/run/scratch.ts";
import { type Model, openModel } from "../model/model.ts";
import { roundedBytes, roundedModel } from "../model/write/rounded-model.ts";
import type { CompareOptions } from "../options/compare.ts";
import { presets } from "../options/presets.ts";
import { settleJudging } from "../options/protocols.ts";
import type { CalibrationText } from "../options/prune.ts";
import { renderComparison } from "../report/comparison.ts";
import type { ComparedTasks, CompareHost } from "../tasks/compare-rows.ts";
import { type EvaluationRequest, evaluateText } from "../tasks/evaluate.ts";
import { evaluateBenchmarks } from "../tasks/evaluate-benchmarks.ts";
import { openTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";
import { makeFolders, unwritable, writeWhole } from "./disk.ts";
import { folderSource, withPaths } from "./open-path.ts";
import { pruneInChild } from "./prune-child.ts";
import type { ChildJob } from "./prune-child-main.ts";
import type { ModelRequest } from "./stream-events.ts";

/** As data, and for a reader. */
export const TABLES = ["compare.json", "compare.md"] as const;

/** A request, checked and completed. */
export interface CompareJob extends Pick<ModelRequest, "model"> {
  readonly calibration: readonly CalibrationText[];
  readonly texts: readonly CalibrationText[];
  readonly against: readonly string[];
  readonly output: string;
  readonly keep: boolean;
  readonly noCache: boolean;
  readonly options: CompareOptions;
  readonly tasks: ComparedTasks | undefined;
  readonly signal: AbortSignal;
}

export interface Workspace {
  readonly backend: Backend;
  readonly dense: Model;
  readonly tokenizer: Tokenizer;
  readonly scratch: Scratch;
  /** Folder of the pruned models for as long as the comparison takes. */
  readonly models: string;
}

export function compareHost(job: CompareJob, { backend, dense, tokenizer, scratch, models }: Workspace): CompareHost {
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
    judge: (judged, text, evalOptions, report) =>
      withModel(dense, judged.path, async (plain) => {
        const model = judged.dtype === undefined ? plain : roundedModel(plain, judged.dtype);
        const denseHidden = remember(text);
        const request = { backend, model, tokenizer, text, dense, denseHidden, options: evalOptions, signal };
        return evaluateText(request, report);
      }),
    judgeOther: (path, text, evalOptions, report) =>
      withPaths(async (open) => {
        const model = await openModel(await open(path));
        const own = await openTokenizer(model.checkpoint);
        const stretch = stretchOf(text, { model: dense, tokenizer, options: evalOptions });
        const context = Math.min(evalOptions.context, own.encode(stretch.text).length);
        const options = settleJudging({ context, windows: 0, bos: evalOptions.bos });
        return evaluateText({ backend, model, tokenizer: own, text: stretch, options, signal }, report);
      }),
    answer: ({ path, dtype }, { names, limit, data: folder }, report) =>
      withModel(dense, path, async (plain) => {
        const model = dtype === undefined ? plain : roundedModel(plain, dtype);
        const own = path === undefined ? tokenizer : await openTokenizer(plain.checkpoint);
        const request = { backend, model, tokenizer: own, names, limit, data: folderSource(folder), signal };
        return evaluateBenchmarks(request, (event) => event.type === "stage" && report(event));
      }),
    bytesIn: (dtype, path) => withModel(dense, path, (model) => roundedBytes(model, dtype)),
    discard: async (path) => (keep ? undefined : rm(path, { recursive: true, force: true })),
    recall: (key) => readFile(pathOf(key), "utf8").catch(() => undefined),
    record: (key, text) => writeWhole(pathOf(key), text),
    publish: (comparison) => writeTables(output, comparison),
    signal,
  };
}

/** The dense model, or the one at a path for as long as the work takes. */
const withModel = <Result>(
  dense: Model,
  path: string | undefined,
  work: (model: Model) => Promise<Result>,
): Promise<Result> =>
  path === undefined ? work(dense) : withPaths(async (open) => work(await openModel(await open(path))));

/** As much of a text as the dense model's windows cover: tokens of another model are of another length. */
function stretchOf(
  text: CalibrationText,
  { model, tokenizer, options }: Pick<EvaluationRequest, "model" | "tokenizer" | "options">,
): { readonly name: string; readonly text: string } {
  const { ids } = cutWindows({ model, tokenizer, text, options: { ...options, bos: false } });
  return { name: text.name, text: tokenizer.decode([...ids]) };
}

export function pruneRequest(
  { model, calibration, noCache, options }: CompareJob,
  cell: ComparedCell,
  output: string,
): ChildJob["request"] {
  const { sparsityOf, prune, widths, multipleOf, samples, calibrationContext, seed, dtype, memory, threads } = options;
  // widths per layer that are not the preset's own would make it another method
  const comparesLayers = presets[cell.preset].criterion === "loss";
  return {
    ...{
      model,
      output,
      noCache,
      preset: cell.preset,
      sparsity: cell.sparsity,
      calibration: [...calibration],
      probes: 0,
    },
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

async function writeTables(output: string, comparison: Comparison): Promise<void> {
  const texts = [`${JSON.stringify(comparison, undefined, 2)}\n`, renderComparison(comparison)];
  for (const [i, file] of TABLES.entries()) await writeWhole(join(output, file), texts[i]!);
}
