// What each part of each layer costs the loss, in nats: predicted to second order from the Fisher factors, corrected by the
// divergence measured when one layer alone is cut.
import { mostRemovable } from "../allocation/by-cost.ts";
import { headSteps, type LayerCosts, neuronsOnly } from "../allocation/curves.ts";
import type { Form } from "../cache/remembered.ts";
import type { LayerMoments, SublayerMoments } from "../forward/backward/second-moments.ts";
import { projectionOf } from "../forward/graphs/decoder-layer.ts";
import type { HeadCut } from "../importance/heads.ts";
import { loss } from "../importance/obs.ts";
import { complement } from "../linalg/gather.ts";
import { inMemory, type ProjectionStatistics } from "../linalg/projection.ts";
import { attentionOf, type LayerSizes, resized, sizesOf } from "../model/spec/parts.ts";
import { chooseHeads, type HeadChoice, takeHeads } from "../prune/heads.ts";
import { takeNeurons } from "../prune/neurons.ts";
import { leastSquares } from "../recover/least-squares.ts";
import type { RunContext } from "../run-context.ts";
import { type DenseRequest, type FisherFactors, sweepMoments } from "./fisher-factors.ts";
import { layerArrays } from "./layer-arrays.ts";
import { type Ablation, measureAblations, withoutPart } from "./single-layer-ablation.ts";
import { COST_TOKENS, CUT_TOKENS, LARGE_CUT_TOKENS } from "./text-lengths.ts";

/** Shares of a layer's neurons whose loss is measured: about what goes at a fifth, and what the cheapest layers then give. */
const NEURON_SHARES = [0.3, 0.6];

/** Share of the steps of an attention whose loss is measured, besides that of all of them. */
const HEAD_SHARE = 0.3;

/** A cut whose loss is measured. */
interface Cut {
  /** Of the curve that the cut takes. */
  readonly steps: number;
  readonly ablate: Ablation;
}

/** What the backward sweep predicts of one part of a layer. */
interface Prediction {
  /** Marginal costs, nats per token. */
  readonly curve: Float64Array;
  /** Each beyond the one before. */
  readonly cuts: readonly Cut[];
}

const ABSENT: Prediction = { curve: new Float64Array(0), cuts: [] };

export interface MeasuredCosts {
  /** Of each layer. */
  readonly costs: readonly LayerCosts[];
  readonly factors: FisherFactors;
}

/** The costs and the factors as an entry of the cache. */
export const measuredCosts: Form<MeasuredCosts> = {
  apart({ costs, factors }) {
    const { data: places, arrays } = layerArrays.apart(factors);
    return { data: { costs, places }, arrays };
  },
  together({ data, arrays }) {
    const { costs, places } = data as Pick<MeasuredCosts, "costs"> & { readonly places: unknown };
    return { costs, factors: layerArrays.together({ data: places, arrays }) };
  },
};

/**
 * Costs of every layer, and the Fisher factors on the way.
 *
 * @param of which cuts are weighed: of neurons only, or of heads and of whole parts too
 */
export async function measureCosts(
  run: RunContext,
  request: DenseRequest,
  of: "neurons" | "all",
): Promise<MeasuredCosts> {
  const neurons: Prediction[] = [];
  const heads: Prediction[] = [];
  const factors = await sweepMoments(run, request, COST_TOKENS, async (moments) => {
    const { index, mlp, attention } = moments;
    neurons[index] = mlp ? await predictNeurons(run, request, moments, statisticsOf(mlp)) : ABSENT;
    const hasHeads = of === "all" && attention !== undefined && attentionOf(moments.layer.sizes) !== undefined;
    heads[index] = hasHeads ? await predictHeads(run, request, moments, statisticsOf(attention)) : ABSENT;
  });
  const mlps = await correct(run, request, neurons);
  if (of === "neurons") return { costs: mlps.map(neuronsOnly), factors };
  const attentions = await correct(run, request, heads);
  const withoutMlp = await measureAblations(run, request, LARGE_CUT_TOKENS, withoutPart("mlp"));
  const costs = mlps.map((curve, index) => ({
    neurons: curve,
    restOfMlp: curve.length === 0 ? undefined : Math.max(0, withoutMlp[index]! - sum(curve)),
    heads: attentions[index]!,
  }));
  return { costs, factors };
}

const statisticsOf = ({ fisherFactor, activations }: SublayerMoments): ProjectionStatistics => ({
  ...activations!,
  fisherFactor,
});

/** Curves that cost at each cut what was measured there. */
async function correct(
  run: RunContext,
  request: DenseRequest,
  predictions: readonly Prediction[],
): Promise<Float64Array[]> {
  const rounds = Math.max(...predictions.map(({ cuts }) => cuts.length));
  const measured: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    const tokens = round === 0 ? CUT_TOKENS : LARGE_CUT_TOKENS;
    const ablate: Ablation = async (index, layer) => predictions[index]!.cuts[round]?.ablate(index, layer);
    measured.push(await measureAblations(run, request, tokens, ablate));
  }
  return predictions.map(({ curve, cuts }, index) =>
    anchored(
      curve,
      cuts.map(({ steps }, round) => ({ steps, loss: measured[round]![index]! })),
    ),
  );
}

/** Costs of the neurons down to the least width. */
async function predictNeurons(
  { gemm, scratch, collectGarbage }: RunContext,
  { method: { ridge } }: DenseRequest,
  { layer }: LayerMoments,
  statistics: ProjectionStatistics,
): Promise<Prediction> {
  const width = sizesOf(layer.sizes).intermediateSize;
  const projection = projectionOf("mlp", layer);
  const { order, costs } = await loss.rank(projection, statistics, mostRemovable(width), { gemm, random });
  collectGarbage();
  const cuts: Cut[] = [];
  for (const share of NEURON_SHARES) {
    const steps = Math.round(share * width);
    const kept = complement(order.slice(0, steps).toSorted(), width);
    const { weight } = await leastSquares.recover(projection, inMemory(statistics), kept, { gemm, ridge });
    const stored = await scratch.put(weight);
    const ablate: Ablation = async (_, { sizes, weights }) => ({
      sizes: resized(sizes, { intermediateSize: kept.length }),
      weights: takeNeurons(weights, kept, { weight: await stored.take() }),
    });
    cuts.push({ steps, ablate });
  }
  return { curve: costs.map((cost) => divergence(cost, statistics)), cuts };
}

/** Costs of the steps of an attention down to none. */
async function predictHeads(
  { gemm, scratch }: RunContext,
  { method: { ridge } }: DenseRequest,
  { layer }: LayerMoments,
  statistics: ProjectionStatistics,
): Promise<Prediction> {
  const projection = projectionOf("attention", layer);
  const ranking = { criterion: loss, projection, statistics, context: { gemm, random } };
  const had = sizesOf(layer.sizes);
  const choose = (steps: number): Promise<HeadChoice> => chooseHeads(ranking, had, headCut(had, steps));
  const all = headSteps(had).length;
  const { costs } = await choose(all);
  const steps = Math.min(Math.max(1, Math.round(HEAD_SHARE * all)), all - 1);
  const kept = await choose(steps);
  const { weight } = await leastSquares.recover(projection, inMemory(statistics), kept.inputs, { gemm, ridge });
  const stored = await scratch.put(weight);
  const own = { numAttentionHeads: kept.heads.length, numKeyValueHeads: kept.keyValueHeads.length };
  const ablate: Ablation = async (_, { sizes, weights, ...others }) => ({
    ...others,
    sizes: resized(sizes, own),
    weights: takeHeads(weights, kept, { weight: await stored.take() }),
  });
  return {
    curve: costs.map((cost) => divergence(cost, statistics)),
    cuts: [
      { steps, ablate },
      { steps: all, ablate: withoutPart("attention") },
    ],
  };
}

/** The criterion `loss` draws nothing. */
const random = (): number => 0;

/** Half the quadratic form of the Fisher information is the KL divergence (second-order expansion). */
const divergence = (cost: number, { tokenCount }: ProjectionStatistics): number => cost / (2 * tokenCount);

const headCut = ({ numAttentionHeads, numKeyValueHeads }: LayerSizes, steps: number): HeadCut =>
  numAttentionHeads > numKeyValueHeads ? { kvGroups: 0, heads: steps } : { kvGroups: steps, heads: 0 };

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

/** A curve scaled piece by piece, so that its steps up to each anchor cost what was measured; the last scale holds for the rest. */
export function anchored(curve: Float64Array, anchors: readonly { steps: number; loss: number }[]): Float64Array {
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
