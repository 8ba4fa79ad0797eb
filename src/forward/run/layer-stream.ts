// Decoder layers one at a time: only the weights of the layer at hand are in memory.

import type { Model } from "../../model/model.ts";
import type { LayerWeights } from "../../model/read-layer.ts";
import { readLayer } from "../../model/read-layer.ts";
import type { LayerSpec } from "../../model/spec/decoder-spec.ts";
import type { HiddenBatch } from "./hidden-states.ts";
import type { LayerRunner } from "./layer-runner.ts";

export interface StreamedLayer {
  readonly index: number;
  readonly layer: LayerSpec;
  readonly weights: LayerWeights;
}

/** The layers in order, each read when it is asked for. */
export async function* layers(model: Model, signal?: AbortSignal): AsyncGenerator<StreamedLayer> {
  for (const [index, layer] of model.spec.layers.entries()) {
    signal?.throwIfAborted();
    yield { index, layer, weights: await readLayer(model, index) };
  }
}

/** Sends hidden states through all layers, in place. */
export async function runLayers(
  runner: LayerRunner,
  model: Model,
  states: readonly HiddenBatch[],
  signal?: AbortSignal,
): Promise<void> {
  for await (const { layer, weights } of layers(model, signal)) await runner.forward(layer, weights, states);
}
