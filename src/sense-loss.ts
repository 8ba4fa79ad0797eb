// What the loss feels: a backward sweep tells how dear an error is at each layer and, where layers shall differ in width, what
// each further neuron costs there, in nats, corrected by the divergence measured when that layer alone is cut.
import { mostRemovable } from "./allocation/by-cost.ts";
import { createRandom } from "./calibration/random.ts";
import type { Backend } from "./compute/backend.ts";
import type { StageEvent } from "./events.ts";
import { type ChangedLayer, forkDivergences } from "./forward/forks.ts";
import { gradientSweep, type LayerGradients } from "./forward/gradient-sweep.ts";
import { sampledLabels } from "./forward/labels.ts";
import { LayerRunner } from "./forward/layer-runner.ts";
import type { StreamedLayer } from "./forward/layer-stream.ts";
import type { Scratch } from "./forward/scratch.ts";
import { loss } from "./importance/loss.ts";
import { complement } from "./linalg/gather.ts";
import type { Gemm } from "./linalg/gemm.ts";
import type { Model } from "./model/model.ts";
import type { TokenWindows } from "./model/token-windows.ts";
import { pruneNeurons } from "./prune/neurons.ts";
import { mlpMatrices } from "./prune-layer.ts";
import { leastSquares } from "./recover/least-squares.ts";

/** Tokens of the backward sweep: for S alone, and for costs, which need as good a Gram matrix. */
const COVARIANCE_TOKENS = 8192;
const COST_TOKENS = 16384;
/** Tokens of the sweep that measures each layer's cut. */
const FORK_TOKENS = 2048;

/** Share of a layer's neurons whose loss is measured. */
const FORK_SHARE = 0.3;

export interface LossRequest {
  readonly backend: Backend;
  readonly gemm: Gemm;
  readonly model: Model;
  readonly windows: TokenWindows;
  readonly scratch: Scratch;
  /** Whether heads are to be weighed too. */
  readonly heads: boolean;
  readonly seed: number;
  readonly ridge: number;
  readonly signal?: AbortSignal | undefined;
}

/** Where the covariance of a layer's gradient waits in the scratch space. */
export const covarianceKey = (index: number): string => `covariance ${index}`;
export const headCovarianceKey = (index: number): string => `head covariance ${index}`;

/** Puts S of every layer into the scratch space. */
export async function* senseLoss(request: LossRequest): AsyncGenerator<StageEvent> {
  yield* sweepBackward(request, COVARIANCE_TOKENS, async () => {});
}

/**
 * The same, and what each further neuron of each layer costs: the expected rise of the KL divergence, nats per token.
 *
 * @returns marginal costs per layer, in the order of removal, down to the least width
 */
export async function* senseCosts(request: LossRequest): AsyncGenerator<StageEvent, Float64Array[]> {
  const { model, scratch, gemm, ridge } = request;
  const costs: Float64Array[] = [];
  const cuts: Int32Array[] = [];
  yield* sweepBackward(request, COST_TOKENS, async (gradients) => {
    const { index, layer, weights, tokenCount } = gradients;
    costs[index] = new Float64Array(0);
    if (layer.intermediateSize === 0) return;
    const mlp = mlpMatrices(model.spec, weights);
    const random = (): number => 0; // the criterion draws nothing
    const removal = await loss.rank(mlp, gradients, mostRemovable(layer.intermediateSize), { gemm, random });
    // Half the quadratic form of the Fisher information is the KL divergence (second-order expansion).
    costs[index] = removal.costs.map((cost) => cost / (2 * tokenCount));
    const kept = complement(removal.order.slice(0, cutSize(layer.intermediateSize)).toSorted(), layer.intermediateSize);
    const { downProj } = await leastSquares.recover({ ...gradients, ...mlp, kept, ridge }, { gemm });
    cuts[index] = kept;
    await scratch.put(`cut ${index}`, downProj);
  });
  const divergences = yield* measureCuts(request, cuts);
  return costs.map((curve, index) =>
    rescale(curve, divergences[index]!, curve.length === 0 ? 0 : cutSize(model.spec.layers[index]!.intermediateSize)),
  );
}

const cutSize = (intermediateSize: number): number => Math.round(FORK_SHARE * intermediateSize);

async function* sweepBackward(
  request: LossRequest,
  tokens: number,
  visit: (gradients: LayerGradients) => Promise<void>,
): AsyncGenerator<StageEvent> {
  const { backend, model, scratch, signal } = request;
  const runner = new LayerRunner(backend, model.spec);
  const windows = firstTokens(request.windows, tokens);
  const labels = sampledLabels(createRandom(request.seed).nextFloat);
  const total = model.spec.layers.length;
  yield { type: "stage", name: "gradient", done: 0, total };
  for await (const gradients of gradientSweep({
    runner,
    model,
    windows,
    scratch,
    labels,
    heads: request.heads,
    signal,
  })) {
    await scratch.put(covarianceKey(gradients.index), gradients.lossCovariance);
    if (gradients.heads) await scratch.put(headCovarianceKey(gradients.index), gradients.heads.lossCovariance);
    await visit(gradients);
    yield { type: "stage", name: "gradient", done: total - gradients.index, total };
  }
  await runner.release();
}

/**
 * KL divergence when one layer alone is cut by FORK_SHARE, per layer: on windows that the refit has not seen, as far as there are
 * any, since a refit flatters itself on its own.
 */
async function* measureCuts(
  { backend, model, windows, scratch, signal }: LossRequest,
  cuts: readonly Int32Array[],
): AsyncGenerator<StageEvent, number[]> {
  const runner = new LayerRunner(backend, model.spec);
  const total = model.spec.layers.length;
  const change = async ({ index, layer, weights }: StreamedLayer): Promise<ChangedLayer> => {
    const kept = cuts[index];
    if (kept === undefined) return { layer, weights }; // it has no MLP
    const downProj = await scratch.take(`cut ${index}`);
    return {
      layer: { ...layer, intermediateSize: kept.length },
      weights: pruneNeurons(weights, kept, downProj),
    };
  };
  const forks = forkDivergences(runner, model, lastTokens(windows, FORK_TOKENS), change, signal);
  for (;;) {
    const step = await forks.next();
    if (step.done) {
      await runner.release();
      return step.value;
    }
    yield { type: "stage", name: "fork", done: step.value, total };
  }
}

/** A curve scaled so that its first `cut` neurons cost what was measured. */
function rescale(curve: Float64Array, measured: number, cut: number): Float64Array {
  const predicted = curve.subarray(0, cut).reduce((sum, cost) => sum + cost, 0);
  return predicted > 0 ? curve.map((cost) => (cost * measured) / predicted) : curve;
}

function firstTokens({ ids, count, length }: TokenWindows, tokens: number): TokenWindows {
  const some = Math.min(count, Math.max(1, Math.floor(tokens / length)));
  return { ids: ids.subarray(0, some * length), count: some, length };
}

function lastTokens({ ids, count, length }: TokenWindows, tokens: number): TokenWindows {
  const some = Math.min(count, Math.max(1, Math.floor(tokens / length)));
  return { ids: ids.subarray((count - some) * length), count: some, length };
}
