// All neurons of the dense model ranked at once: one sweep scores those of each layer, and standardised scores compare layers.
import { standardized } from "./allocation/standardized.ts";
import { nthRandom } from "./calibration/random.ts";
import type { StageEvent } from "./events.ts";
import { embed } from "./forward/hidden-states.ts";
import type { LayerRunner } from "./forward/layer-runner.ts";
import { layers } from "./forward/layer-stream.ts";
import type { Scratch } from "./forward/scratch.ts";
import type { Criterion, Removal } from "./importance/criterion.ts";
import type { Gemm } from "./linalg/gemm.ts";
import type { Model } from "./model/model.ts";
import type { TokenWindows } from "./model/token-windows.ts";
import { mlpMatrices, neuronStatistics } from "./prune-layer.ts";
import { takeSensed } from "./sensed.ts";

export interface RankRequest {
  readonly runner: LayerRunner;
  readonly gemm: Gemm;
  readonly model: Model;
  readonly windows: TokenWindows;
  readonly scratch: Scratch;
  readonly criterion: Criterion;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The neurons of every layer in the order of their removal, all but the last, with costs that compare between layers.
 *
 * @param request with a one-shot criterion
 */
export async function* rankAllLayers(request: RankRequest): AsyncGenerator<StageEvent, Removal[]> {
  const { runner, gemm, model, windows, scratch, criterion, seed, signal } = request;
  const states = await embed(model, windows);
  const removals: Removal[] = [];
  for await (const { index, layer, weights } of layers(model, signal)) {
    yield { type: "stage", name: "neuron-importance", done: index, total: model.spec.layers.length };
    await runner.attention(layer, weights, states);
    const statistics = {
      ...(await neuronStatistics(runner, layer, weights, {
        states,
        target: undefined,
        tokenCount: windows.ids.length,
      })),
      ...(await takeSensed(scratch, index, criterion)),
    };
    const random = nthRandom(seed, index).nextFloat;
    const mlp = mlpMatrices(model.spec, weights);
    const { order, costs } = await criterion.rank(mlp, statistics, layer.intermediateSize, { gemm, random });
    removals.push({ order: order.slice(0, -1), costs: standardized(costs).slice(0, -1) });
    await runner.mlp(layer, weights, states);
  }
  return removals;
}
