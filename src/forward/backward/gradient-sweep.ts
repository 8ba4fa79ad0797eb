// Forward through all layers, then backward from the last to the first: the gradient of the loss at every down_proj, and
// o_proj where it is wanted, with one layer's weights in memory and what enters the layers put aside.
import type { Program } from "../../compute/backend.ts";
import { emptyGram, emptySum, type RunningSums, sumsBefore, wholeGram } from "../../compute/running-sums.ts";
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import { type LayerWeights, readLayer } from "../../model/read-layer.ts";
import type { LayerSpec } from "../../model/spec/decoder-spec.ts";
import type { TokenWindows } from "../../model/spec/token-windows.ts";
import type { LayerContext } from "../graphs/decoder-layer.ts";
import { embed, type HiddenBatch, joined } from "../run/hidden-states.ts";
import type { LayerRunner } from "../run/layer-runner.ts";
import { layers } from "../run/layer-stream.ts";
import type { Scratch } from "../run/scratch.ts";
import { lossGradient } from "./head-gradient.ts";
import type { Labels } from "./labels.ts";
import { layerGradientGraph, SUMS, type SumNames, type WantedMoments } from "./layer-gradient.ts";

/** Second moments at a projection with input z [size]; u is the scale of a token (token-scale.ts), or 1. */
export interface ProjectionMoments {
  readonly gram: Float32Array; // Σ z zᵀ / u² [size, size]; [0] where only S was asked for
  readonly mean: Float32Array; // of z [size]; likewise
  /** S = E[u² g gᵀ], g the gradient of a token's log-loss at the projection's output. [hiddenSize, hiddenSize] */
  readonly lossCovariance: Float32Array;
}

/** What the backward sweep finds of one layer, at its down_proj. */
export interface LayerGradients extends ProjectionMoments {
  readonly index: number;
  readonly layer: LayerSpec;
  readonly weights: LayerWeights;
  /** The same at o_proj, where it was asked for. */
  readonly heads: ProjectionMoments | undefined;
  readonly tokenCount: number;
}

export interface SweepRequest {
  readonly runner: LayerRunner;
  readonly model: Model;
  readonly windows: TokenWindows;
  readonly scratch: Scratch;
  readonly labels: Labels;
  readonly signal?: AbortSignal | undefined;
}

export interface GradientRequest extends SweepRequest {
  /** Whether what is summed at the MLP is wanted of the attention too. */
  readonly heads: boolean;
}

type MomentRequest = SweepRequest & WantedMoments;

/** Layers from the last to the first, with the second moments of activations and gradients. */
export async function* gradientSweep(request: MomentRequest): AsyncGenerator<LayerGradients> {
  const { model, signal } = request;
  const states = await towardsLastLayer(request);
  for (const [index, layer] of [...model.spec.layers.entries()].reverse()) {
    signal?.throwIfAborted();
    const weights = await readLayer(model, index);
    yield { index, layer, weights, ...(await backward(request, layer, weights, index, states)) };
  }
}

/** The gradient towards the last layer's output; what enters layer i with batch b is put aside as "i b". */
export async function towardsLastLayer(request: SweepRequest): Promise<HiddenBatch[]> {
  const { runner, model, windows, scratch, labels, signal } = request;
  const states = await embed(model, windows);
  for await (const { index, layer, weights } of layers(model, signal)) {
    for (const [i, { hidden }] of states.entries()) await scratch.put(`${index} ${i}`, hidden.data);
    await runner.forward(layer, weights, states);
  }
  await lossGradient(runner.programs, model, joined(states), labels);
  return states;
}

/** One layer back: `gradients` hold the gradient towards the layer's output, then towards its input. */
async function backward(
  { runner, model, scratch, heads, inputs: ofInputs }: MomentRequest,
  layer: LayerSpec,
  weights: LayerWeights,
  index: number,
  gradients: readonly HiddenBatch[],
): Promise<Omit<LayerGradients, "index" | "layer" | "weights">> {
  const { hiddenSize, headDim } = model.spec;
  const [neurons, elements] = ofInputs ? [layer.intermediateSize, layer.numAttentionHeads * headDim] : [0, 0];
  const sums = {
    ...emptySums(SUMS.mlp, neurons, hiddenSize),
    ...(heads ? emptySums(SUMS.heads, elements, hiddenSize) : {}),
  };
  let tokenCount = 0;
  for (const [i, { batch, length, hidden: upstream }] of gradients.entries()) {
    tokenCount += batch * length;
    const x = tensor(await scratch.take(`${index} ${i}`), upstream.shape);
    if (layer.numAttentionHeads === 0 && layer.intermediateSize === 0) continue; // hands its input on as it is
    const context: LayerContext = { spec: model.spec, layer, batch, length };
    const program = await gradientProgram(runner, context, weights, { heads, inputs: ofInputs });
    const inputs = { x, upstream, ...weights, ...runner.position(layer, length), ...sumsBefore(sums) };
    const { towardsInput } = await program.run(inputs, sums);
    upstream.data.set(towardsInput!.data as Float32Array);
  }
  return {
    ...momentsOf(sums, SUMS.mlp, neurons, hiddenSize, tokenCount),
    heads: heads ? momentsOf(sums, SUMS.heads, elements, hiddenSize, tokenCount) : undefined,
    tokenCount,
  };
}

const emptySums = ({ gram, total, covariance }: SumNames, size: number, hiddenSize: number): RunningSums => ({
  ...emptyGram(gram, size),
  ...emptySum(total, 1, size),
  ...emptyGram(covariance, hiddenSize),
});

function momentsOf(
  sums: RunningSums,
  { gram, total, covariance }: SumNames,
  size: number,
  hiddenSize: number,
  tokenCount: number,
): ProjectionMoments {
  const mean = ({ data }: Tensor<Float32Array>): Float32Array => data.map((sum) => sum / tokenCount);
  return {
    gram: wholeGram(sums, gram, size).data,
    mean: mean(sums[total]!),
    lossCovariance: mean(wholeGram(sums, covariance, hiddenSize)),
  };
}

function gradientProgram(
  { programs }: LayerRunner,
  context: LayerContext,
  weights: LayerWeights,
  wanted: WantedMoments,
): Promise<Program> {
  const { batch, length, layer } = context;
  const { numAttentionHeads, numKeyValueHeads, intermediateSize } = layer;
  const key = [
    "gradient",
    wanted.heads,
    wanted.inputs,
    batch,
    length,
    numAttentionHeads,
    numKeyValueHeads,
    intermediateSize,
  ].join(" ");
  return programs.get(key, () => layerGradientGraph(context, weights, wanted));
}
