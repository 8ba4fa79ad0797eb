// All neurons of the dense model ranked at once: one sweep scores those of each layer, and standardised scores compare layers.
import { projectionOf } from "../forward/graphs/decoder-layer.ts";
import { embedOrSpill } from "../forward/run/embed.ts";
import type { HiddenStates } from "../forward/run/hidden-states.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import type { Removal } from "../importance/criterion.ts";
import { nthRandom } from "../linalg/random.ts";
import { type DecoderLayer, readLayer } from "../model/read-layer.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import { sizesOf } from "../model/spec/parts.ts";
import type { RunContext } from "../run-context.ts";
import type { WeightSensitivities } from "./first-order.ts";
import type { DenseRequest } from "./fisher-factors.ts";

const NOTHING: Removal = { order: new Int32Array(), costs: new Float64Array() };

/**
 * The neurons of every layer in the order of their removal, all but the last, with costs that compare between layers. The
 * criterion is a one-shot one.
 */
export async function rankAllLayers(
  run: RunContext,
  request: DenseRequest,
  sensitivities: WeightSensitivities,
): Promise<Removal[]> {
  const { model, windows } = request;
  const runner = new LayerRunner(run.backend, model.spec);
  const states = await embedOrSpill(model, windows, run.scratch, run.memory.states);
  const removals: Removal[] = [];
  for (const index of layerIndices(model.spec)) {
    run.signal?.throwIfAborted();
    run.report({ type: "stage", name: "neuron-importance", done: index, total: model.spec.layers.length });
    const layer = await readLayer(model, index);
    await runner.sublayer("attention", layer, states);
    const isAbsent = layer.sizes.channel === null;
    removals.push(isAbsent ? NOTHING : await rankLayer(run, runner, request, { index, layer, states, sensitivities }));
    await runner.sublayer("mlp", layer, states);
  }
  await runner.release();
  return removals;
}

interface LayerToRank {
  readonly index: LayerIndex;
  readonly layer: DecoderLayer;
  /** Before the MLP. */
  readonly states: HiddenStates;
  readonly sensitivities: WeightSensitivities;
}

async function rankLayer(
  { gemm }: RunContext,
  runner: LayerRunner,
  { method }: DenseRequest,
  { index, layer, states, sensitivities }: LayerToRank,
): Promise<Removal> {
  const wanted = { tokenScale: false, target: undefined, holdsOut: false };
  const { statistics } = await runner.projectionStatistics("mlp", layer, states, wanted);
  const weightSensitivity = await sensitivities.get(index)?.mlp?.read();
  const context = { gemm, random: nthRandom(method.seed, index).nextFloat };
  const { order, costs } = await method.criterion.rank(
    projectionOf("mlp", layer),
    { ...statistics, weightSensitivity },
    sizesOf(layer.sizes).intermediateSize,
    context,
  );
  return { order: order.slice(0, -1), costs: standardized(costs).slice(0, -1) };
}

/**
 * (score − mean) / standard deviation, over the neurons of one layer.
 *
 * @see An et al. 2023 (FLAP), arXiv:2312.11983, section "adaptive structure search"
 */
export function standardized(scores: Float64Array): Float64Array {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const squares = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / Math.max(scores.length - 1, 1));
  return scores.map((score) => (deviation > 0 ? (score - mean) / deviation : 0));
}
