// Second moments of activations and gradients at the projections that end a layer's sublayers, found on the way back.
import type { Value } from "../../compute/graph.ts";
import { mul, reciprocal } from "../../compute/operations/elementwise.ts";
import { type GramSum, type RunningSum, RunningSums } from "../../compute/running-sums.ts";
import type { Tensor } from "../../compute/tensor.ts";
import type { ProjectionStatistics } from "../../linalg/projection.ts";
import type { DecoderLayer } from "../../model/read-layer.ts";
import { type DecoderSpec, normsOutputs } from "../../model/spec/decoder-spec.ts";
import type { LayerIndex } from "../../model/spec/layer-index.ts";
import { mixtureOf } from "../../model/spec/parts.ts";
import { hasSublayer, type Sublayer } from "../../model/spec/roles.ts";
import { projectionOf, type WholeLayer } from "../graphs/decoder-layer.ts";
import { tokenScale } from "../graphs/output-norm.ts";
import type { LayerRunner } from "../run/layer-runner.ts";
import {
  type BackwardRequest,
  type BackwardStep,
  stepBackward,
  sweepBackward,
  type WantedGradient,
} from "./backward-sweep.ts";

/** Which second moments are wanted besides the Fisher factor of every MLP. */
export interface WantedMoments {
  /** Those at o_proj too. */
  readonly attention: boolean;
  /** Those of what enters a projection too. */
  readonly activations: boolean;
}

/** What the sweep finds of one layer; a sublayer that the layer lacks, or that was not asked for, is undefined. */
export interface LayerMoments {
  readonly index: LayerIndex;
  readonly layer: DecoderLayer;
  readonly mlp: SublayerMoments | undefined;
  readonly attention: SublayerMoments | undefined;
}

/** Over all tokens, of a mixture of experts at what all of them together write; u the scale of a token where norms follow the projections (graphs/output-norm.ts), else 1. */
export interface SublayerMoments {
  /** S = E[u² g gᵀ], g the gradient of a token's log-loss at the projection's output. f32 [hiddenSize, hiddenSize] */
  readonly fisherFactor: Float32Array;
  /** Of z, what enters the projection: Σ z zᵀ / u² and its mean; where they were asked for. */
  readonly activations: Pick<ProjectionStatistics, "gram" | "mean" | "tokenCount"> | undefined;
}

/** Visits the layers from the last to the first, with what is found of each. */
export async function secondMoments(
  request: BackwardRequest,
  wanted: WantedMoments,
  visit: (found: LayerMoments) => Promise<void>,
): Promise<void> {
  const { runner, windows } = request;
  await sweepBackward(request, async (step) => {
    const { index, layer } = step;
    await visit({ index, layer, ...(await passBack(runner, step, wanted, windows.ids.length)) });
  });
}

/** Takes the gradient through one layer. */
async function passBack(
  runner: LayerRunner,
  step: BackwardStep,
  wanted: WantedMoments,
  tokenCount: number,
): Promise<Pick<LayerMoments, Sublayer>> {
  const sums = emptySums(runner.spec, step.layer, wanted);
  await stepBackward(runner, step, {
    key: ["second moments", wanted.attention, wanted.activations],
    sums: sums.all,
    wanted: (whole) => wantedGradients(runner.spec, whole, sums),
    ofMixture: (gradient) => sums.mlp?.fisher.add(gradient),
  });
  return {
    mlp: sums.mlp && momentsOf(sums.mlp, tokenCount),
    attention: sums.attention && momentsOf(sums.attention, tokenCount),
  };
}

/** Sums at one projection. */
interface MomentSums {
  readonly fisher: GramSum; // Σ u² g gᵀ
  readonly activations: { readonly gram: GramSum; readonly total: RunningSum } | undefined; // Σ z zᵀ / u², Σ z
}

interface LayerSums extends Readonly<Record<Sublayer, MomentSums | undefined>> {
  readonly all: RunningSums;
}

function emptySums({ hiddenSize }: DecoderSpec, layer: DecoderLayer, wanted: WantedMoments): LayerSums {
  const all = new RunningSums();
  const sumsAt = (name: Sublayer): MomentSums | undefined => {
    if (!hasSublayer(name, layer.sizes)) return undefined;
    // each expert of a mixture has activations of its own
    if (name === "mlp" && mixtureOf(layer.sizes)) return { fisher: all.gram(hiddenSize), activations: undefined };
    const { inputSize } = projectionOf(name, layer);
    const activations = wanted.activations ? { gram: all.gram(inputSize), total: all.sum([1, inputSize]) } : undefined;
    return { fisher: all.gram(hiddenSize), activations };
  };
  return { all, mlp: sumsAt("mlp"), attention: wanted.attention ? sumsAt("attention") : undefined };
}

/** The gradients towards what the projections write, and what they and the activations add to the sums. */
function wantedGradients(spec: DecoderSpec, whole: WholeLayer, sums: LayerSums): WantedGradient[] {
  return (["mlp", "attention"] as const).flatMap((name) => {
    const [values, own] = [whole[name], sums[name]];
    if (values === undefined || own === undefined) return [];
    const { inputs, written } = values;
    const add = (gradient: Value): void => {
      const u = normsOutputs(spec) ? tokenScale(spec, written) : undefined;
      own.fisher.add(u ? mul(gradient, u) : gradient);
      own.activations?.gram.add(u ? mul(inputs, reciprocal(u)) : inputs);
      own.activations?.total.addRows(inputs);
    };
    return [{ towards: written, add }];
  });
}

function momentsOf({ fisher, activations }: MomentSums, tokenCount: number): SublayerMoments {
  const mean = ({ data }: Tensor<Float32Array>): Float32Array => data.map((sum) => sum / tokenCount);
  return {
    fisherFactor: mean(fisher.whole()),
    activations: activations && {
      gram: activations.gram.whole().data,
      mean: mean(activations.total.tensor),
      tokenCount,
    },
  };
}
