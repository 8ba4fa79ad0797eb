// All that is found out about the dense model before anything is cut. It holds for every sparsity, so that many can be tried
// after one look.

import { neuronsOnly } from "../allocation/curves.ts";
import type { Findings } from "../allocation/decide.ts";
import { planLayers } from "../allocation/layer-count.ts";
import { embed } from "../forward/run/embed.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import { blockInfluence } from "../importance/block-influence.ts";
import { readLayer } from "../model/read-layer.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import type { Sensitivities } from "../prune/sweep.ts";
import type { RunContext } from "../run-context.ts";
import { measureCosts } from "./cost-curves.ts";
import { measureWeightSensitivities, type WeightSensitivities } from "./first-order.ts";
import { type DenseRequest, type FisherFactors, measureFisherFactors } from "./fisher-factors.ts";
import { rankAllLayers } from "./global-ranking.ts";
import { ablateLayers } from "./single-layer-ablation.ts";

export interface DenseMeasurements {
  /** What is decided by. */
  readonly findings: Findings;
  /** What criterion and recovery need of backward sweeps. */
  readonly sensitivities: Sensitivities;
}

/**
 * Measures of the dense model what the method needs.
 *
 * @param sparsities all that will be decided about
 */
export async function measureDense(
  run: RunContext,
  request: DenseRequest,
  sparsities: readonly number[],
): Promise<DenseMeasurements> {
  const { allocation, backward, layerImportance } = request.method;
  const measureLayers = layerImportance === "ablation" ? ablateLayers : measureInfluences;
  const influences = ranksLayers(request, sparsities) ? await measureLayers(run, request) : undefined;
  const weights: WeightSensitivities =
    backward.weightSensitivity === "none" ? new Map() : await measureWeightSensitivities(run, request);
  if (allocation.kind === "loss") {
    const { costs, factors } = await measureCosts(run, request, allocation.of);
    return { findings: { influences, costs }, sensitivities: joined(request, factors, weights) };
  }
  const factors = backward.fisherFactors === "none" ? new Map() : await measureFisherFactors(run, request);
  const sensitivities = joined(request, factors, weights);
  if (allocation.kind === "even") return { findings: { influences }, sensitivities };
  const removals = await rankAllLayers(run, request, weights);
  const costs = removals.map((removal) => neuronsOnly(removal.costs));
  return { findings: { influences, costs, orders: removals.map(({ order }) => order) }, sensitivities };
}

/** Whether calibration has to tell which layers go. */
const ranksLayers = ({ model, method }: DenseRequest, sparsities: readonly number[]): boolean =>
  method.layers.kind === "search" ||
  sparsities.some((sparsity) => planLayers(model.spec, method, sparsity).removed === undefined);

const joined = ({ model }: DenseRequest, factors: FisherFactors, weights: WeightSensitivities): Sensitivities => {
  const of = (index: LayerIndex, sublayer: "attention" | "mlp") => ({
    fisherFactor: factors.get(index)?.[sublayer],
    weights: weights.get(index)?.[sublayer],
  });
  return new Map(
    layerIndices(model.spec).map((index) => [index, { attention: of(index, "attention"), mlp: of(index, "mlp") }]),
  );
};

/** Coarse stage: Block Influence of each layer on the calibration windows. */
async function measureInfluences(
  { backend, report, signal }: RunContext,
  { model, windows }: DenseRequest,
): Promise<number[]> {
  const runner = new LayerRunner(backend, model.spec);
  const states = await embed(model, windows);
  const influences: number[] = [];
  for (const index of layerIndices(model.spec)) {
    signal?.throwIfAborted();
    report({ type: "stage", name: "layer-importance", done: index, total: model.spec.layers.length });
    const layer = await readLayer(model, index);
    const before = states.all.slice();
    await runner.layer(layer, states);
    influences.push(blockInfluence(before, states.all, model.spec.hiddenSize));
  }
  await runner.release();
  return influences;
}
