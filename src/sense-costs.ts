// What each part of each layer costs the loss, in nats: predicted by the backward sweep, corrected by the divergence measured
// when one layer alone is cut.
import { mostRemovable } from "./allocation/by-cost.ts";
import { headSteps, type LayerCosts, neuronsOnly } from "./allocation/curves.ts";
import type { StageEvent } from "./events/common.ts";
import { type ChangedLayer, forkDivergences } from "./forward/forks.ts";
import type { LayerGradients } from "./forward/gradient-sweep.ts";
import { LayerRunner } from "./forward/layer-runner.ts";
import type { StreamedLayer } from "./forward/layer-stream.ts";
import type { HeadCut, HeadRemoval } from "./importance/heads.ts";
import { loss } from "./importance/loss.ts";
import { complement } from "./linalg/gather.ts";
import type { LayerSizes } from "./model/layer-sizes.ts";
import type { TokenWindows } from "./model/token-windows.ts";
import { pruneHeads } from "./prune/heads.ts";
import { pruneNeurons } from "./prune/neurons.ts";
import { oProjInput, rankHeads } from "./prune-attention.ts";
import { mlpMatrices } from "./prune-layer.ts";
import { leastSquares } from "./recover/least-squares.ts";
import { type LossRequest, sweepBackward } from "./sense-loss.ts";

/** Tokens of the backward sweep: costs need a better Gram matrix than S does. */
const COST_TOKENS = 16384;

/** Tokens of a sweep that measures cuts; the loss of a whole part is large, and needs fewer. */
const FORK_TOKENS = 2048;
const WHOLE_FORK_TOKENS = 1024;

/** Share of a layer's neurons, or of the steps of its attention, whose loss is measured. */
const FORK_SHARE = 0.3;

/** Which cuts are weighed: of neurons only, or of heads and of whole parts too. */
export type CostScope = "mlp" | "all";

/** The layer with one part cut, in the sweep that measures it; undefined where it has no such part. */
type Change = (streamed: StreamedLayer) => Promise<ChangedLayer | undefined>;

/** What the backward sweep predicts of one part of each layer, and what a measured cut keeps of it. */
interface Predictions<Kept> {
  /** Per layer; empty where the part is absent. */
  readonly curves: Float64Array[];
  readonly kept: (Kept | undefined)[];
}

/** Costs of every layer; S of every layer is left in the scratch space. */
export async function* senseCosts(request: LossRequest, scope: CostScope): AsyncGenerator<StageEvent, LayerCosts[]> {
  const none = new Float64Array(0);
  const neurons: Predictions<Int32Array> = { curves: [], kept: [] };
  const heads: Predictions<HeadRemoval> = { curves: [], kept: [] };
  yield* sweepBackward(request, COST_TOKENS, async (gradients) => {
    const { index, layer } = gradients;
    [neurons.curves[index], heads.curves[index]] = [none, none];
    if (layer.intermediateSize > 0)
      [neurons.curves[index], neurons.kept[index]] = await predictNeurons(request, gradients);
    if (scope === "all" && layer.numAttentionHeads > 0)
      [heads.curves[index], heads.kept[index]] = await predictHeads(request, gradients);
  });
  const mlps = yield* measureNeurons(request, neurons);
  if (scope === "mlp") return mlps.map(neuronsOnly);
  const attentions = yield* measureHeads(request, heads);
  const withoutMlp = yield* measure(request, WHOLE_FORK_TOKENS, withoutPart({ intermediateSize: 0 }));
  return mlps.map((curve, index) => ({
    neurons: curve,
    restOfMlp: curve.length === 0 ? undefined : Math.max(0, withoutMlp[index]! - sum(curve)),
    heads: attentions[index]!,
  }));
}

/** What each layer costs as a whole: the KL divergence without it, nats per token. */
export const measureLayers = (request: LossRequest): AsyncGenerator<StageEvent, number[]> =>
  measure(request, WHOLE_FORK_TOKENS, withoutPart({ intermediateSize: 0, numAttentionHeads: 0, numKeyValueHeads: 0 }));

async function* measureNeurons(
  request: LossRequest,
  { curves, kept }: Predictions<Int32Array>,
): AsyncGenerator<StageEvent, Float64Array[]> {
  const { model, scratch } = request;
  const measured = yield* measure(request, FORK_TOKENS, async ({ index, layer, weights }) => {
    const own = kept[index];
    if (own === undefined) return undefined;
    const pruned = pruneNeurons(weights, own, await scratch.take(`cut ${index}`));
    return { layer: { ...layer, intermediateSize: own.length }, weights: pruned };
  });
  return curves.map((curve, index) => anchored(curve, neuronCut(model.spec.layers[index]!), measured[index]!));
}

async function* measureHeads(
  request: LossRequest,
  { curves, kept }: Predictions<HeadRemoval>,
): AsyncGenerator<StageEvent, Float64Array[]> {
  const { model, scratch } = request;
  const measured = yield* measure(request, FORK_TOKENS, async ({ index, layer, weights }) => {
    const own = kept[index];
    if (own === undefined) return undefined;
    const sizes = { numAttentionHeads: own.heads.length, numKeyValueHeads: own.keyValueHeads.length };
    const pruned = pruneHeads(weights, own, model.spec.headDim, await scratch.take(`head cut ${index}`));
    return { layer: { ...layer, ...sizes }, weights: pruned };
  });
  const without = withoutPart({ numAttentionHeads: 0, numKeyValueHeads: 0 });
  const whole = yield* measure(request, WHOLE_FORK_TOKENS, without);
  return curves.map((curve, index) => {
    const cut = headCut(model.spec.layers[index]!);
    return anchored(curve, cut, measured[index]!, whole[index]!);
  });
}

/** Marginal costs of the neurons down to the least width, and the neurons that the measured cut leaves. */
async function predictNeurons(
  { model, gemm, ridge, scratch }: LossRequest,
  gradients: LayerGradients,
): Promise<[Float64Array, Int32Array]> {
  const { index, layer, weights, tokenCount } = gradients;
  const mlp = mlpMatrices(model.spec, weights);
  const removal = await loss.rank(mlp, gradients, mostRemovable(layer.intermediateSize), { gemm, random });
  const kept = complement(removal.order.slice(0, neuronCut(layer)).toSorted(), layer.intermediateSize);
  const { downProj } = await leastSquares.recover({ ...gradients, ...mlp, kept, ridge }, { gemm });
  await scratch.put(`cut ${index}`, downProj);
  return [removal.costs.map((cost) => divergence(cost, tokenCount)), kept];
}

/** Costs of the steps of an attention down to none, and the heads that the measured cut leaves. */
async function predictHeads(
  { model, gemm, ridge, scratch }: LossRequest,
  { index, layer, weights, heads, tokenCount }: LayerGradients,
): Promise<[Float64Array, HeadRemoval]> {
  const rank = (steps: number): Promise<HeadRemoval> =>
    rankHeads(loss, model.spec, { layer, weights }, statistics, cutOf(layer, steps), { gemm, random });
  const statistics = { ...heads!, tokenCount };
  const { costs } = await rank(headSteps(layer).length);
  const kept = await rank(headCut(layer));
  const { downProj } = await leastSquares.recover(oProjInput(model.spec, weights, statistics, kept.heads, ridge), {
    gemm,
  });
  await scratch.put(`head cut ${index}`, downProj);
  return [costs.map((cost) => divergence(cost, tokenCount)), kept];
}

/** The criterion `loss` draws nothing. */
const random = (): number => 0;

/** Half the quadratic form of the Fisher information is the KL divergence (second-order expansion). */
const divergence = (cost: number, tokenCount: number): number => cost / (2 * tokenCount);

const neuronCut = ({ intermediateSize }: LayerSizes): number => Math.round(FORK_SHARE * intermediateSize);

/** Steps of an attention whose loss is measured: one at least, but not all. */
function headCut(layer: LayerSizes): number {
  const steps = headSteps(layer).length;
  return Math.min(Math.max(1, Math.round(FORK_SHARE * steps)), Math.max(0, steps - 1));
}

const cutOf = ({ numAttentionHeads, numKeyValueHeads }: LayerSizes, steps: number): HeadCut =>
  numAttentionHeads > numKeyValueHeads ? { kvGroups: 0, heads: steps } : { kvGroups: steps, heads: 0 };

const withoutPart =
  (sizes: Partial<LayerSizes>): Change =>
  async ({ layer, weights }) => ({ layer: { ...layer, ...sizes }, weights });

/**
 * KL divergence when one layer alone is changed, per layer; 0 where it is not. On windows that the refit has not seen, as far as
 * there are any, since a refit flatters itself on its own.
 */
async function* measure(
  { backend, model, windows, signal }: LossRequest,
  tokens: number,
  change: Change,
): AsyncGenerator<StageEvent, number[]> {
  const runner = new LayerRunner(backend, model.spec);
  const total = model.spec.layers.length;
  const forks = forkDivergences(runner, model, lastTokens(windows, tokens), change, signal);
  for (;;) {
    const step = await forks.next();
    if (step.done) {
      await runner.release();
      return step.value;
    }
    yield { type: "stage", name: "fork", done: step.value, total };
  }
}

function lastTokens({ ids, count, length }: TokenWindows, tokens: number): TokenWindows {
  const some = Math.min(count, Math.max(1, Math.floor(tokens / length)));
  return { ids: ids.subarray((count - some) * length), count: some, length };
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

/** A curve scaled so that its first `cut` steps cost what was measured, and the others what is then left of `whole`. */
function anchored(curve: Float64Array, cut: number, measured: number, whole?: number): Float64Array {
  const scaled = curve.slice();
  const first = scaled.subarray(0, cut);
  const ratio = sum(first) > 0 ? measured / sum(first) : 1;
  scaled.set(first.map((cost) => cost * ratio));
  const rest = scaled.subarray(cut);
  const left = whole === undefined ? sum(rest) * ratio : Math.max(0, whole - sum(first));
  if (sum(rest) > 0) rest.set(rest.map((cost) => (cost * left) / sum(rest)));
  return scaled;
}
