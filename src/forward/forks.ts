// What one changed layer does to the prediction: forks of the hidden states leave the unchanged stream, one at each layer, and
// all of them travel on through the unchanged layers in the same sweep.
import { type Tensor, tensor } from "../compute/tensor.ts";
import type { LayerSpec } from "../model/decoder-spec.ts";
import type { Model } from "../model/model.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { TokenWindows } from "../model/token-windows.ts";
import { compareHeads } from "./head.ts";
import { embed, type HiddenBatch, joined } from "./hidden-states.ts";
import type { LayerRunner } from "./layer-runner.ts";
import { layers, type StreamedLayer } from "./layer-stream.ts";

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
  const divergences: number[] = [];
  const dense = { model, hidden: joined(states) };
  for (const fork of forks) {
    signal?.throwIfAborted();
    if (fork === undefined) {
      divergences.push(0);
      continue;
    }
    const { divergence } = await compareHeads(runner.programs, { model, hidden: joined(fork) }, dense, windows.ids);
    divergences.push(divergence.reduce((sum, value) => sum + value, 0) / divergence.length);
  }
  return divergences;
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
