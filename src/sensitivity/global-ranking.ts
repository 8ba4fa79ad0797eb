// All neurons of the dense model ranked at once: one sweep scores those of each layer, and standardised scores compare layers.
import { standardized } from "../allocation/standardized.ts";
import type { StageEvent } from "../events/common.ts";
import type { HiddenStates } from "../forward/run/hidden-states.ts";
import type { LayerRunner } from "../forward/run/layer-runner.ts";
import { layers, type StreamedLayer } from "../forward/run/layer-stream.ts";
import type { Scratch } from "../forward/run/scratch.ts";
import { embedOrSpill } from "../forward/run/spilled-states.ts";
import type { Criterion, Removal } from "../importance/criterion.ts";
import type { Gemm } from "../linalg/gemm.ts";
import { nthRandom } from "../linalg/random.ts";
import type { Model } from "../model/model.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import { projectionStatistics } from "../prune/projection-statistics.ts";
import { mlpMatrices } from "../prune/sublayer.ts";
import { readSensed } from "./sensed.ts";

export interface RankRequest {
  readonly runner: LayerRunner;
  readonly gemm: Gemm;
  readonly model: Model;
  readonly windows: TokenWindows;
  readonly scratch: Scratch;
  /** One-shot; what it needs of a backward sweep waits in the scratch space. */
  readonly criterion: Criterion;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

const NOTHING: Removal = { order: new Int32Array(), costs: new Float64Array() };

/** The neurons of every layer in the order of their removal, all but the last, with costs that compare between layers. */
export async function* rankAllLayers(request: RankRequest): AsyncGenerator<StageEvent, Removal[]> {
  const { runner, model, windows, scratch, signal } = request;
  const states = await embedOrSpill(model, windows, scratch, "ranked states");
  const removals: Removal[] = [];
  for await (const streamed of layers(model, signal)) {
    const { index, layer, weights } = streamed;
    yield { type: "stage", name: "neuron-importance", done: index, total: model.spec.layers.length };
    await runner.attention(layer, weights, states);
    removals.push(layer.intermediateSize === 0 ? NOTHING : await rankLayer(request, streamed, states));
    await runner.mlp(layer, weights, states);
  }
  return removals;
}

async function rankLayer(
  { runner, gemm, model, windows, scratch, criterion, seed }: RankRequest,
  { index, layer, weights }: StreamedLayer,
  states: HiddenStates,
): Promise<Removal> {
  const job = { states, target: undefined, scaled: false, tokenCount: windows.ids.length, choosesRidge: false };
  const { moments } = await projectionStatistics(runner, "mlp", layer, weights, job);
  const statistics = {
    ...moments,
    ...(await readSensed(scratch, index, "mlp", criterion)),
  };
  const context = { gemm, random: nthRandom(seed, index).nextFloat };
  const mlp = mlpMatrices(model.spec, weights);
  const { order, costs } = await criterion.rank(mlp, statistics, layer.intermediateSize, context);
  return { order: order.slice(0, -1), costs: standardized(costs).slice(0, -1) };
}
