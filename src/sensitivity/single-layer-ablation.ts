// What one changed layer does to the prediction: forks of the hidden states leave the unchanged stream, one at each layer, and
// all of them travel on through the unchanged layers in the same sweep.
import { type Tensor, tensor } from "../compute/tensor.ts";
import { compareHeads } from "../forward/run/head.ts";
import { embed, type HiddenBatch, joined } from "../forward/run/hidden-states.ts";
import type { LayerRunner } from "../forward/run/layer-runner.ts";
import { layers, type StreamedLayer } from "../forward/run/layer-stream.ts";
import type { Model } from "../model/model.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { DecoderSpec, LayerSpec } from "../model/spec/decoder-spec.ts";
import { countParameters } from "../model/spec/parameters.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";

/** A layer with other sizes or weights. */
export interface ChangedLayer {
  readonly layer: LayerSpec;
  readonly weights: LayerWeights;
}

/**
 * KL divergence of the predictions, nats per token, when layer i alone is what `change` makes of it.
 *
 * @returns one figure for each layer; 0 where there is no change
 */
export async function* forkDivergences(
  runner: LayerRunner,
  model: Model,
  windows: TokenWindows,
  change: (layer: StreamedLayer) => Promise<ChangedLayer | undefined>,
  signal?: AbortSignal,
): AsyncGenerator<number, number[]> {
  const states = await embed(model, windows);
  const forks: (HiddenBatch[] | undefined)[] = [];
  for await (const streamed of layers(model, signal)) {
    const { index, layer, weights } = streamed;
    yield index;
    for (const fork of forks) if (fork) await runner.forward(layer, weights, fork);
    const changed = await change(streamed);
    const fork = changed && copied(states);
    if (fork) await runner.forward(changed.layer, changed.weights, fork);
    await runner.forward(layer, weights, states);
    forks.push(fork);
  }
  signal?.throwIfAborted();
  const stride = headStride(model.spec);
  const judged = (batches: readonly HiddenBatch[]): Float32Array =>
    everyNth(joined(batches), model.spec.hiddenSize, stride);
  const dense = { model, hidden: judged(states) };
  const changed = forks.filter((fork) => fork !== undefined).map(judged);
  const ids = everyNth(windows.ids, 1, stride);
  const compared = (await compareHeads(runner.programs, model, changed, dense, ids)).values();
  return forks.map((fork) => (fork === undefined ? 0 : mean(compared.next().value!.divergence)));
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Tokens apart that are judged at least: fewer would say too little. */
const MOST_STRIDE = 4;

/**
 * Every how many-th token is judged: with a large vocabulary the head, which each fork needs twice, would take longer than the
 * layers, half of which each fork goes through on average.
 */
function headStride(spec: DecoderSpec): number {
  const head = 2 * spec.vocabSize * spec.hiddenSize;
  const layers = countParameters(spec).decoderMatrices / 2;
  return Math.min(MOST_STRIDE, Math.max(1, Math.round(head / layers)));
}

/** Rows stride − 1, 2 · stride − 1, …: never the first of a window alone, which often is not like the others. */
function everyNth<Rows extends Float32Array | Int32Array>(rows: Rows, width: number, stride: number): Rows {
  if (stride === 1) return rows;
  const count = Math.floor(rows.length / width / stride);
  const taken = rows.slice(0, count * width) as Rows;
  for (let i = 0; i < count; i++) {
    const row = (i + 1) * stride - 1;
    taken.set(rows.subarray(row * width, (row + 1) * width), i * width);
  }
  return taken;
}

/** The batches in one new array, as `embed` makes them. */
function copied(states: readonly HiddenBatch[]): HiddenBatch[] {
  const all = joined(states).slice();
  let start = 0;
  return states.map((state) => {
    const data = all.subarray(start, start + state.hidden.data.length);
    start += data.length;
    const hidden: Tensor<Float32Array> = tensor(data, state.hidden.shape);
    return { ...state, hidden };
  });
}
