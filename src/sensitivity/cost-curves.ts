// What each part of each layer costs the loss, in nats: predicted by the backward sweep, corrected by the divergence measured
// when one layer alone is cut.
import { mostRemovable } from "../allocation/by-cost.ts";
import { headSteps, type LayerCosts, neuronsOnly } from "../allocation/curves.ts";
import type { StageEvent } from "../events/common.ts";
import type { LayerGradients } from "../forward/backward/gradient-sweep.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import type { StreamedLayer } from "../forward/run/layer-stream.ts";
import type { HeadCut, HeadRemoval } from "../importance/heads.ts";
import { loss } from "../importance/loss.ts";
import { complement } from "../linalg/gather.ts";
import type { LayerSizes } from "../model/config/layer-sizes.ts";
import { windowsBetween, windowsOf } from "../model/spec/token-windows.ts";
import { oProjInput, rankHeads } from "../prune/attention.ts";
import { pruneHeads } from "../prune/heads.ts";
import { pruneNeurons } from "../prune/neurons.ts";
import { mlpMatrices } from "../prune/sublayer.ts";
import { leastSquares } from "../recover/least-squares.ts";
import { type LossRequest, sweepBackward } from "./fisher-factors.ts";
import { type ChangedLayer, forkDivergences } from "./single-layer-ablation.ts";

/** Tokens of the backward sweep: costs need a better Gram matrix than S does. */
export const COST_TOKENS = 16384;

/** Tokens of a sweep that measures cuts; the loss of a large cut is large, and needs fewer. */
export const FORK_TOKENS = 2048;
export const LARGE_FORK_TOKENS = 1024;

/** Shares of a layer's neurons whose loss is measured: about what goes at a fifth, and what the cheapest layers then give. */
const NEURON_SHARES = [0.3, 0.6];

/** Share of the steps of an attention whose loss is measured, besides that of all of them. */
const HEAD_SHARE = 0.3;

/** Which cuts are weighed: of neurons only, or of heads and of whole parts too. */
export type CostScope = "mlp" | "all";

/** The layer with one part cut, in the sweep that measures it; undefined where it has no such part. */
export type Change = (streamed: StreamedLayer) => Promise<ChangedLayer | undefined>;

/** A cut whose loss is measured. */
interface Cut {
  /** Of the curve that the cut takes. */
  readonly steps: number;
  readonly change: Change;
}

/** What the backward sweep predicts of one part of a layer. */
interface Prediction {
  /** Marginal costs, nats per token. */
  readonly curve: Float64Array;
  /** Each beyond the one before. */
  readonly cuts: readonly Cut[];
}

const ABSENT: Prediction = { curve: new Float64Array(0), cuts: [] };

/** Costs of every layer; S of every layer is left in the scratch space. */
export async function* senseCosts(request: LossRequest, scope: CostScope): AsyncGenerator<StageEvent, LayerCosts[]> {
  const neurons: Prediction[] = [];
  const heads: Prediction[] = [];
  yield* sweepBackward(request, COST_TOKENS, async (gradients) => {
    const { index, layer } = gradients;
    neurons[index] = layer.intermediateSize > 0 ? await predictNeurons(request, gradients) : ABSENT;
    const hasHeads = scope === "all" && layer.numAttentionHeads > 0;
    heads[index] = hasHeads ? await predictHeads(request, gradients) : ABSENT;
  });
  const mlps = yield* correct(request, neurons);
  if (scope === "mlp") return mlps.map(neuronsOnly);
  const attentions = yield* correct(request, heads);
  const withoutMlp = yield* measure(request, LARGE_FORK_TOKENS, withoutPart(NO_MLP));
  return mlps.map((curve, index) => ({
    neurons: curve,
    restOfMlp: curve.length === 0 ? undefined : Math.max(0, withoutMlp[index]! - sum(curve)),
    heads: attentions[index]!,
  }));
}

/** Curves that cost at each cut what was measured there. */
async function* correct(
  request: LossRequest,
  predictions: readonly Prediction[],
): AsyncGenerator<StageEvent, Float64Array[]> {
  const rounds = Math.max(...predictions.map(({ cuts }) => cuts.length));
  const measured: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    const tokens = round === 0 ? FORK_TOKENS : LARGE_FORK_TOKENS;
    const change: Change = async (streamed) => predictions[streamed.index]!.cuts[round]?.change(streamed);
    measured.push(yield* measure(request, tokens, change));
  }
  return predictions.map(({ curve, cuts }, index) =>
    anchored(
      curve,
      cuts.map(({ steps }, round) => ({ steps, loss: measured[round]![index]! })),
    ),
  );
}

/** Costs of the neurons down to the least width. */
async function predictNeurons(request: LossRequest, gradients: LayerGradients): Promise<Prediction> {
  const { model, gemm, ridge, scratch, collectGarbage } = request;
  const { index, layer, weights, tokenCount } = gradients;
  const mlp = mlpMatrices(model.spec, weights);
  const { order, costs } = await loss.rank(mlp, gradients, mostRemovable(layer.intermediateSize), { gemm, random });
  collectGarbage();
  const cuts: Cut[] = [];
  for (const share of NEURON_SHARES) {
    const steps = Math.round(share * layer.intermediateSize);
    const kept = complement(order.slice(0, steps).toSorted(), layer.intermediateSize);
    const { downProj } = await leastSquares.recover({ ...gradients, ...mlp, kept, ridge }, { gemm });
    const key = `cut ${index} to ${kept.length}`;
    await scratch.put(key, downProj);
    const change: Change = async (streamed) => ({
      layer: { ...streamed.layer, intermediateSize: kept.length },
      weights: pruneNeurons(streamed.weights, kept, await scratch.take(key)),
    });
    cuts.push({ steps, change });
  }
  return { curve: costs.map((cost) => divergence(cost, tokenCount)), cuts };
}

/** Costs of the steps of an attention down to none. */
async function predictHeads(request: LossRequest, gradients: LayerGradients): Promise<Prediction> {
  const { model, gemm, ridge, scratch } = request;
  const { index, layer, weights, heads, tokenCount } = gradients;
  const statistics = { ...heads!, tokenCount };
  const all = headSteps(layer).length;
  const rank = (steps: number): Promise<HeadRemoval> =>
    rankHeads(loss, model.spec, { layer, weights }, statistics, headCut(layer, steps), { gemm, random });
  const { costs } = await rank(all);
  const steps = Math.min(Math.max(1, Math.round(HEAD_SHARE * all)), all - 1);
  const kept = await rank(steps);
  const input = oProjInput(model.spec, weights, statistics, kept.heads, ridge);
  const { downProj } = await leastSquares.recover(input, { gemm });
  const key = `head cut ${index}`;
  await scratch.put(key, downProj);
  const sizes = { numAttentionHeads: kept.heads.length, numKeyValueHeads: kept.keyValueHeads.length };
  const change: Change = async (streamed) => ({
    layer: { ...streamed.layer, ...sizes },
    weights: pruneHeads(streamed.weights, kept, model.spec.headDim, await scratch.take(key)),
  });
  return {
    curve: costs.map((cost) => divergence(cost, tokenCount)),
    cuts: [
      { steps, change },
      { steps: all, change: withoutPart(NO_ATTENTION) },
    ],
  };
}

/** The criterion `loss` draws nothing. */
const random = (): number => 0;

/** Half the quadratic form of the Fisher information is the KL divergence (second-order expansion). */
const divergence = (cost: number, tokenCount: number): number => cost / (2 * tokenCount);

const headCut = ({ numAttentionHeads, numKeyValueHeads }: LayerSizes, steps: number): HeadCut =>
  numAttentionHeads > numKeyValueHeads ? { kvGroups: 0, heads: steps } : { kvGroups: steps, heads: 0 };

const NO_MLP = { intermediateSize: 0 };
const NO_ATTENTION = { numAttentionHeads: 0, numKeyValueHeads: 0 };

/** The layer without a part, or without both. */
export const withoutPart =
  (sizes: Partial<LayerSizes>): Change =>
  async ({ layer, weights }) => ({ layer: { ...layer, ...sizes }, weights });

/**
 * KL divergence when one layer alone is changed, per layer; 0 where it is not. On windows that the refit has not seen, as far as
 * there are any, since a refit flatters itself on its own.
 */
export async function* measure(
  { backend, model, windows, signal }: LossRequest,
  tokens: number,
  change: Change,
): AsyncGenerator<StageEvent, number[]> {
  const runner = new LayerRunner(backend, model.spec);
  const total = model.spec.layers.length;
  const last = windowsBetween(windows, windows.count - windowsOf(tokens, windows), windows.count);
  const forks = forkDivergences(runner, model, last, change, signal);
  for (;;) {
    const step = await forks.next();
    if (step.done) {
      await runner.release();
      return step.value;
    }
    yield { type: "stage", name: "fork", done: step.value, total };
  }
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

/** A curve scaled piece by piece, so that its steps up to each anchor cost what was measured; the last scale holds for the rest. */
function anchored(curve: Float64Array, anchors: readonly { steps: number; loss: number }[]): Float64Array {
  const scaled = curve.slice();
  let start = 0;
  let spent = 0;
  let ratio = 1;
  for (const { steps, loss: measured } of anchors) {
    const piece = scaled.subarray(start, steps);
    const predicted = sum(piece);
    if (predicted > 0) ratio = Math.max(0, measured - spent) / predicted;
    piece.set(piece.map((cost) => cost * ratio));
    start = steps;
    spent += predicted * ratio;
  }
  const rest = scaled.subarray(start);
  rest.set(rest.map((cost) => cost * ratio));
  return scaled;
}
