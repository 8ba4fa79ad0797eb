// Judges models on the probes, small sets made from a seed that need no file: one model, or a dense one and what was pruned of it.
import { remembered } from "../cache/remembered.ts";
import { openWritten } from "../checkpoint/open-checkpoint.ts";
import type { Output } from "../checkpoint/storage.ts";
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import { askProbes, type EncodedProbes, encodeProbes, type ProbeAmount } from "../evaluate/probes/ask.ts";
import type { StageEvent } from "../events/common.ts";
import type { ProbeFigures } from "../events/model.ts";
import type { ProbeOutcome } from "../events/prune.ts";
import { residentBytes } from "../forward/decode/resident-weights.ts";
import type { OutputFormat } from "../method/output-format.ts";
import { type Model, openModel } from "../model/model.ts";
import type { RunContext } from "../run-context.ts";
import { openTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";

/** Questions of each probe, and tokens of each greedy text, where probes are what is asked for. */
const ALONE = { questions: 64, greedyTokens: 64 };

/** Of the greedy texts beside a pruning, of whose time the probes must take little. */
const GREEDY_TOKENS_BESIDE = 32;

export interface ProbesRequest {
  readonly backend: Backend;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly seed: number;
  /** Weights stay in memory for the greedy texts when all of them take no more than this. */
  readonly budgetBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Shares of right answers, and of what greedy text does not repeat. @throws {CompError} as `encodeProbes` */
export function evaluateProbes(
  { backend, model, tokenizer, seed, budgetBytes, signal }: ProbesRequest,
  report: (event: StageEvent) => void,
): Promise<ProbeFigures> {
  const encoded = encodeProbes(tokenizer, model.spec, { seed, ...ALONE });
  const onLayer = layersTo(report);
  return askProbes(backend, model, encoded, { budgetBytes, onLayer, signal });
}

/** The two models of a pruning. */
export interface ProbedPair {
  /** With the tokens alone that stay. */
  readonly dense: Model;
  /** Holds the pruned one, whole. */
  readonly output: Output;
  readonly format: OutputFormat;
}

/**
 * The same probes before and after; or why they do not apply. What the dense model answers is found out once.
 *
 * @param options `probes`: questions of each; with 0 there is nothing to tell
 */
export async function compareProbes(
  run: RunContext,
  { dense, output, format }: ProbedPair,
  { probes: questions, seed }: { readonly probes: number; readonly seed: number },
): Promise<ProbeOutcome | undefined> {
  if (questions === 0) return undefined;
  const isHeld = residentBytes(dense) <= run.memory.weights; // else each token would read all weights again
  const amount = { questions, seed, greedyTokens: isHeld ? GREEDY_TOKENS_BESIDE : 0 };
  const encoded = await encodedFor(dense, amount);
  if ("skipped" in encoded) return encoded;
  const options = { budgetBytes: run.memory.weights, onLayer: layersTo(run.report), signal: run.signal };
  const ask = (model: Model): Promise<ProbeFigures> => {
    run.collectGarbage(); // what the sweep or the other model has left
    return askProbes(run.backend, model, encoded, options);
  };
  const before = await remembered(run, { name: "probes", model: dense, of: { encoded } }, () => ask(dense));
  const checkpoint = await openWritten(output, format.format);
  try {
    return { questions, before, after: await ask(await openModel(checkpoint)) };
  } finally {
    await checkpoint.close();
  }
}

/** The probes in a model's tokens, or why that cannot be. */
async function encodedFor(model: Model, amount: ProbeAmount): Promise<EncodedProbes | { readonly skipped: string }> {
  try {
    return encodeProbes(await openTokenizer(model.checkpoint), model.spec, amount);
  } catch (error) {
    if (error instanceof CompError) return { skipped: error.message };
    throw error;
  }
}

const layersTo =
  (report: (event: StageEvent) => void) =>
  (done: number, total: number): void =>
    report({ type: "stage", name: "evaluate", done, total });
