// Perplexity of a model on token windows and, next to the dense model, how far its predictions moved.
import type { Backend } from "../compute/backend.ts";
import { embed } from "../forward/run/embed.ts";
import { compareHeads, type HeadComparison, type HeadStatistics, runHead } from "../forward/run/head.ts";
import type { ResidentStates } from "../forward/run/hidden-states.ts";
import { LayerRunner, runLayers } from "../forward/run/layer-runner.ts";
import type { ProgramCache } from "../forward/run/programs.ts";
import type { Model } from "../model/model.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import { countJudged, type JudgedWindows, judgedWhole } from "./judged-windows.ts";

export interface Evaluation {
  /** exp of the mean negative log-likelihood of the targets: of the tokens that are judged. */
  readonly perplexity: number;
  /** Number of targets. */
  readonly tokens: number;
  readonly comparison: DenseComparison | undefined;
}

/** Against the dense model on the same targets. */
export interface DenseComparison {
  readonly densePerplexity: number;
  /** Mean KL(dense ‖ model), nats per target. */
  readonly klDivergence: number;
  /** Fraction of targets for which both models rank the same token first. */
  readonly topOneAgreement: number;
}

/** Gives the dense model's hidden states from an earlier comparison on the same windows, or computes them. */
export type Remembering = (compute: () => Promise<Float32Array>) => Promise<Float32Array>;

/** Sends windows through a model, and through the dense model when given, one layer in memory at a time. */
export async function evaluateModel(
  backend: Backend,
  model: Model,
  windows: JudgedWindows,
  options: { dense?: Model; denseHidden?: Remembering; signal?: AbortSignal } = {},
): Promise<Evaluation> {
  const runner = new LayerRunner(backend, model.spec);
  const hidden = await hiddenAfterLayers(runner, model, windows, options.signal);
  if (!options.dense) {
    const statistics = await runHead(runner.programs, { model, hidden }, targetsOf(windows));
    await runner.release();
    return summarize(statistics, windows);
  }
  const denseRunner = new LayerRunner(backend, options.dense.spec);
  const { dense, denseHidden: remembering = (compute) => compute() } = options;
  const denseHidden = await remembering(() => hiddenAfterLayers(denseRunner, dense, windows, options.signal));
  await denseRunner.release();
  const reference = { model: dense, hidden: denseHidden };
  const [comparison] = await compareHeads(runner.programs, model, [hidden], reference, targetsOf(windows));
  await runner.release();
  return summarizeComparison(comparison!, windows);
}

/** Perplexity of a model whose hidden states are already through its layers; head and final norm are those of `model`. */
export async function perplexityOfHidden(
  programs: ProgramCache,
  model: Model,
  windows: TokenWindows,
  { all: hidden }: ResidentStates,
): Promise<number> {
  const statistics = await runHead(programs, { model, hidden }, targetsOf(windows));
  return summarize(statistics, judgedWhole(windows)).perplexity;
}

/** All figures for hidden states that are already through the layers of the dense and the pruned model. */
export async function evaluateHidden(
  programs: ProgramCache,
  model: Model,
  windows: TokenWindows,
  states: ResidentStates,
  denseStates: ResidentStates,
): Promise<Evaluation> {
  const dense = { model, hidden: denseStates.all };
  const [comparison] = await compareHeads(programs, model, [states.all], dense, targetsOf(windows));
  return summarizeComparison(comparison!, judgedWhole(windows));
}

async function hiddenAfterLayers(
  runner: LayerRunner,
  model: Model,
  windows: TokenWindows,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const states = await embed(model, windows);
  await runLayers(runner, model, states, signal);
  return states.all;
}

/** What each position should predict: the next token; the last position of a window predicts nothing (its own id stands in). */
function targetsOf({ ids, length }: TokenWindows): Int32Array {
  return ids.map((id, i) => (i % length === length - 1 ? id : ids[i + 1]!));
}

/** Whether the token behind a position is judged. */
function isTarget({ length, judged }: JudgedWindows, position: number): boolean {
  const { from, end } = judged[Math.floor(position / length)]!;
  const next = (position % length) + 1;
  return next >= from && next < end;
}

function summarize(statistics: HeadStatistics, windows: JudgedWindows): Evaluation {
  const { logSumExp, targetLogit } = statistics;
  const tokens = countJudged(windows);
  const loss = logSumExp.reduce(
    (total, value, i) => (isTarget(windows, i) ? total + value - targetLogit[i]! : total),
    0,
  );
  return { perplexity: Math.exp(loss / tokens), tokens, comparison: undefined };
}

function summarizeComparison(comparison: HeadComparison, windows: JudgedWindows): Evaluation {
  const own = summarize(comparison, windows);
  const { divergence, top, dense } = comparison;
  const mean = (value: (i: number) => number): number =>
    divergence.reduce((total, _, i) => (isTarget(windows, i) ? total + value(i) : total), 0) / own.tokens;
  return {
    ...own,
    comparison: {
      densePerplexity: summarize(dense, windows).perplexity,
      klDivergence: mean((i) => divergence[i]!),
      topOneAgreement: mean((i) => Number(top[i] === dense.top[i])),
    },
  };
}
