// Forward through all layers, then backward from the last to the first: the gradient of the loss at every down_proj, with one
// layer's weights in memory and what enters the layers put aside.
import type { Program } from "../compute/backend.ts";
import { type Tensor, tensor } from "../compute/tensor.ts";
import type { LayerSpec } from "../model/decoder-spec.ts";
import type { Model } from "../model/model.ts";
import { type LayerWeights, readLayer } from "../model/read-layer.ts";
import type { TokenWindows } from "../model/token-windows.ts";
import type { LayerContext } from "./decoder-layer.ts";
import { lossGradient } from "./head-gradient.ts";
import { embed, type HiddenBatch } from "./hidden-states.ts";
import type { Labels } from "./labels.ts";
import { layerGradientGraph } from "./layer-gradient.ts";
import type { LayerRunner } from "./layer-runner.ts";
import { layers } from "./layer-stream.ts";
import type { Scratch } from "./scratch.ts";

/** What the backward sweep finds of one layer. */
export interface LayerGradients {
  readonly index: number;
  readonly layer: LayerSpec;
  readonly weights: LayerWeights;
  readonly gram: Float32Array; // ZᵀZ [intermediateSize, intermediateSize]
  readonly mean: Float32Array; // of Z [intermediateSize]
  /** S = E[g gᵀ], g the gradient of a token's log-loss at down_proj's output. [hiddenSize, hiddenSize] */
  readonly lossCovariance: Float32Array;
  readonly tokenCount: number;
}

export interface GradientRequest {
  readonly runner: LayerRunner;
  readonly model: Model;
  readonly windows: TokenWindows;
  readonly scratch: Scratch;
  readonly labels: Labels;
  readonly signal?: AbortSignal | undefined;
}

/** Layers from the last to the first, with the second moments of activations and gradients. */
export async function* gradientSweep(request: GradientRequest): AsyncGenerator<LayerGradients> {
  const { model, signal } = request;
  const states = await towardsLastLayer(request);
  for (const [index, layer] of [...model.spec.layers.entries()].reverse()) {
    signal?.throwIfAborted();
    const weights = await readLayer(model, index);
    yield { index, layer, weights, ...(await backward(request, layer, weights, index, states)) };
  }
}

/** The gradient towards the last layer's output; what enters layer i with batch b is put aside as "i b". */
export async function towardsLastLayer(request: GradientRequest): Promise<HiddenBatch[]> {
  const { runner, model, windows, scratch, labels, signal } = request;
  const states = await embed(model, windows);
  for await (const { index, layer, weights } of layers(model, signal)) {
    for (const [i, { hidden }] of states.entries()) await scratch.put(`${index} ${i}`, hidden.data);
    await runner.forward(layer, weights, states);
  }
  let start = 0;
  for (const { hidden, batch, length } of states) {
    await lossGradient(runner.programs, model, hidden.data, labels(start, batch * length));
    start += batch * length;
  }
  return states;
}

/** One layer back: `gradients` hold the gradient towards the layer's output, then towards its input. */
async function backward(
  { runner, model, scratch }: GradientRequest,
  layer: LayerSpec,
  weights: LayerWeights,
  index: number,
  gradients: readonly HiddenBatch[],
): Promise<Pick<LayerGradients, "gram" | "mean" | "lossCovariance" | "tokenCount">> {
  const sums = emptySums(layer.intermediateSize, model.spec.hiddenSize);
  let tokenCount = 0;
  for (const [i, { batch, length, hidden: upstream }] of gradients.entries()) {
    const context: LayerContext = { spec: model.spec, layer, batch, length };
    const program = await gradientProgram(runner, context, weights);
    const x = tensor(await scratch.take(`${index} ${i}`), upstream.shape);
    const inputs = { x, upstream, ...weights, ...runner.position(layer, length), ...before(sums) };
    const { towardsInput } = await program.run(inputs, sums);
    upstream.data.set(towardsInput!.data as Float32Array);
    tokenCount += batch * length;
  }
  const mean = (sum: Float32Array): Float32Array => sum.map((total) => total / tokenCount);
  return { gram: sums.gram.data, mean: mean(sums.total.data), lossCovariance: mean(sums.covariance.data), tokenCount };
}

type Sums = Record<"gram" | "total" | "covariance", Tensor<Float32Array>>;

function emptySums(m: number, d: number): Sums {
  const zeros = (rows: number, cols: number): Tensor<Float32Array> =>
    tensor(new Float32Array(rows * cols), [rows, cols]);
  return { gram: zeros(m, m), total: zeros(1, m), covariance: zeros(d, d) };
}

const before = ({ gram, total, covariance }: Sums): Record<string, Tensor> => ({
  gramBefore: gram,
  totalBefore: total,
  covarianceBefore: covariance,
});

function gradientProgram({ programs }: LayerRunner, context: LayerContext, weights: LayerWeights): Promise<Program> {
  const { batch, length, layer } = context;
  const key = ["gradient", batch, length, layer.numAttentionHeads, layer.numKeyValueHeads, layer.intermediateSize].join(
    " ",
  );
  return programs.get(key, () => layerGradientGraph(context, weights));
}
