// Comparing presets on this machine: every cell is pruned by a process of its own, judged here, recorded in a folder.
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CompError } from "../errors.ts";
import type { ComparedCell, CompareEvent, Comparison } from "../events/compare.ts";
import type { Scratch } from "../forward/run/scratch.ts";
import { type Model, openModel } from "../model/model.ts";
import { countParameters } from "../model/spec/parameters.ts";
import type { CompareOptions } from "../options/compare.ts";
import type { CalibrationText } from "../options/prune.ts";
import { renderComparison } from "../report/comparison.ts";
import { type CompareHost, comparePresets } from "../tasks/compare.ts";
import { cutWindows, evaluateText } from "../tasks/evaluate.ts";
import { openTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";
import { nodeBackend } from "./backend.ts";
import { unwritable } from "./disk.ts";
import { openPath } from "./open-path.ts";
import { pruneInChild } from "./prune-child.ts";
import { scratchFolder } from "./scratch-folder.ts";
import { forgetUnfinished, rememberUnfinished } from "./unfinished.ts";

export interface CompareJob {
  /** A Hugging Face folder or a GGUF file. */
  readonly model: string;
  readonly options: CompareOptions;
  /** Files to calibrate on; none: the model's own text, or a bundled mix. */
  readonly calibration: readonly (CalibrationText & { readonly path: string })[];
  readonly texts: readonly CalibrationText[];
  /** The folder for the record of each cell and for the tables. */
  readonly output: string;
  /** Keep the pruned models, in the same folder. */
  readonly keep: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compares presets; cells that the output folder has already are not computed again.
 *
 * @throws {CompError} "calibration" when a text is too short to judge on; "aborted" after the signal
 */
export async function* compare(job: CompareJob): AsyncGenerator<CompareEvent> {
  const { options, calibration, texts, output, signal } = job;
  const checkpoint = await openPath(job.model);
  const models = join(resolve(output), job.keep ? "models" : `.comp-${randomUUID()}`);
  const scratch = scratchFolder();
  if (!job.keep) rememberUnfinished(models);
  try {
    const dense = await openModel(checkpoint);
    const tokenizer = await openTokenizer(checkpoint);
    for (const text of texts) cutWindows({ tokenizer, text, options });
    await mkdir(join(output, "cells"), { recursive: true }).catch((cause: unknown) => {
      throw unwritable(output, cause);
    });
    const request = { options, calibration, texts, dense: await factsOf(dense) };
    for await (const event of comparePresets(request, hostOf(job, { dense, tokenizer, scratch, models }))) {
      if (event.type === "result") await writeTables(output, event.comparison);
      yield event;
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
    throw new CompError("aborted", `stopped; the cells that are finished stay in ${output}`, { cause: error });
  } finally {
    if (!job.keep) await rm(models, { recursive: true, force: true });
    forgetUnfinished(models);
    await scratch.clear();
    await checkpoint.close();
  }
}

interface Workspace {
  readonly dense: Model;
  readonly tokenizer: Tokenizer;
  readonly scratch: Scratch;
  /** Folder of the pruned models. */
  readonly models: string;
}

function hostOf(
  { model, options, calibration, texts, output, keep, signal }: CompareJob,
  workspace: Workspace,
): CompareHost {
  const { dense, tokenizer, scratch, models } = workspace;
  const backend = nodeBackend(options.threads);
  const remember = rememberingStates(scratch, texts);
  const pathOf = (key: string): string => join(output, "cells", `${key}.json`);
  return {
    async *prune(cell: ComparedCell) {
      await mkdir(models, { recursive: true });
      const path = join(models, `${cell.preset}-${cell.sparsity}`);
      yield* pruneInChild({ model, cell, options, calibration: calibration.map((text) => text.path), path, signal });
      return path;
    },
    async *judge(path, text, evalOptions) {
      const checkpoint = await openPath(path);
      try {
        const pruned = await openModel(checkpoint);
        const denseHidden = remember(text);
        const request = { backend, model: pruned, tokenizer, text, dense, denseHidden, options: evalOptions, signal };
        yield* evaluateText(request);
      } finally {
        await checkpoint.close();
      }
    },
    discard: async (path) => (keep ? undefined : rm(path, { recursive: true, force: true })),
    recall: (key) => readFile(pathOf(key), "utf8").catch(() => undefined),
    record: (key, text) => writeWhole(pathOf(key), text),
    signal,
  };
}

/** The dense model's hidden states on each text: computed for the first cell, then kept on the disk. */
function rememberingStates(scratch: Scratch, texts: readonly CalibrationText[]) {
  const known = new Set<string>();
  return (text: CalibrationText) =>
    async (group: number, compute: () => Promise<Float32Array>): Promise<Float32Array> => {
      const key = `${texts.indexOf(text)} ${group}`;
      const states = known.has(key) ? await scratch.take(key) : await compute();
      known.add(key);
      await scratch.put(key, states);
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
  await writeWhole(join(output, "compare.json"), `${JSON.stringify(comparison, undefined, 2)}\n`);
  await writeWhole(join(output, "compare.md"), renderComparison(comparison));
}

/** A file that is there completely or as it was before. */
async function writeWhole(path: string, text: string): Promise<void> {
  const beside = `${path}.${randomUUID()}`;
  rememberUnfinished(beside);
  try {
    await writeFile(beside, text);
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    throw unwritable(path, cause);
  } finally {
    forgetUnfinished(beside);
  }
}
