// All that is found out about the dense model before anything is cut. It holds for every sparsity, so that many can be tried
// after one look.

import { neuronsOnly } from "../allocation/curves.ts";
import type { Findings } from "../allocation/decide.ts";
import { planLayers } from "../allocation/layer-count.ts";
import type { FindingName } from "../cache/cache.ts";
import { type Finding, remembered } from "../cache/remembered.ts";
import { embedOrSpill } from "../forward/run/embed.ts";
import type { HiddenStates } from "../forward/run/hidden-states.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import { BlockInfluence } from "../importance/block-influence.ts";
import type { Removal } from "../importance/criterion.ts";
import { criterionName } from "../importance/index.ts";
import { readLayer } from "../model/read-layer.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import type { Sensitivities } from "../prune/prune-layer.ts";
import type { RunContext } from "../run-context.ts";
import { type MeasuredCosts, measureCosts, measuredCosts } from "./cost-curves.ts";
import { measureWeightSensitivities, type WeightSensitivities } from "./first-order.ts";
import { type DenseRequest, type FisherFactors, measureFisherFactors } from "./fisher-factors.ts";
import { rankAllLayers } from "./global-ranking.ts";
import { layerArrays } from "./layer-arrays.ts";
import { ablateLayers } from "./single-layer-ablation.ts";

export interface DenseMeasurements {
  /** What is decided by. */
  readonly findings: Findings;
  /** What criterion and recovery need of backward sweeps. */
  readonly sensitivities: Sensitivities;
}

/**
 * Measures of the dense model what the method needs, as far as no earlier run has measured it.
 *
 * @param sparsities all that will be decided about
 */
export async function measureDense(
  run: RunContext,
  request: DenseRequest,
  sparsities: readonly number[],
): Promise<DenseMeasurements> {
  const { allocation } = request.method;
  const influences = ranksLayers(request, sparsities) ? await layerImportance(run, request) : undefined;
  const weights = await weightSensitivities(run, request);
  if (allocation.kind === "loss") {
    const { costs, factors } = await costsOf(run, request, allocation.of);
    return { findings: { influences, costs }, sensitivities: joined(request, factors, weights) };
  }
  const sensitivities = joined(request, await fisherFactors(run, request), weights);
  if (allocation.kind === "even") return { findings: { influences }, sensitivities };
  const removals = await ranking(run, request, weights);
  const costs = removals.map((removal) => neuronsOnly(removal.costs));
  return { findings: { influences, costs, orders: removals.map(({ order }) => order) }, sensitivities };
}

const finding = (name: FindingName, { model, windows }: DenseRequest, of: Finding["of"]): Finding => ({
  name,
  model,
  of: { windows, ...of },
});

function layerImportance(run: RunContext, request: DenseRequest): Promise<number[]> {
  const by = request.method.layerImportance;
  const measure = by === "ablation" ? ablateLayers : measureInfluences;
  return remembered(run, finding("layer-importance", request, { by }), () => measure(run, request));
}

async function weightSensitivities(run: RunContext, request: DenseRequest): Promise<WeightSensitivities> {
  const of = request.method.backward.weightSensitivity;
  if (of === "none") return new Map();
  const measure = (): Promise<WeightSensitivities> => measureWeightSensitivities(run, request);
  return remembered(run, finding("weight-sensitivities", request, { of }), measure, layerArrays);
}

async function fisherFactors(run: RunContext, request: DenseRequest): Promise<FisherFactors> {
  const { backward, seed } = request.method;
  const of = backward.fisherFactors;
  if (of === "none") return new Map();
  const measure = (): Promise<FisherFactors> => measureFisherFactors(run, request);
  return remembered(run, finding("fisher-factors", request, { of, seed }), measure, layerArrays);
}

function costsOf(run: RunContext, request: DenseRequest, of: "neurons" | "all"): Promise<MeasuredCosts> {
  const { backward, ridge, seed } = request.method;
  const given = { of, factors: backward.fisherFactors, ridge, seed };
  return remembered(run, finding("costs", request, given), () => measureCosts(run, request, of), measuredCosts);
}

function ranking(run: RunContext, request: DenseRequest, weights: WeightSensitivities): Promise<Removal[]> {
  const { criterion, seed } = request.method;
  const by = criterionName(criterion);
  const rank = (): Promise<Removal[]> => rankAllLayers(run, request, weights);
  if (by === undefined) return rank(); // what a criterion of one's own computes, its name does not tell
  return remembered(run, finding("neuron-ranking", request, { by, seed }), rank);
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
  { backend, scratch, memory, report, signal }: RunContext,
  { model, windows }: DenseRequest,
): Promise<number[]> {
  const runner = new LayerRunner(backend, model.spec);
  const states = await embedOrSpill(model, windows, scratch, memory.states);
  const before = await embedOrSpill(model, windows, scratch, memory.states);
  const influences: number[] = [];
  for (const index of layerIndices(model.spec)) {
    signal?.throwIfAborted();
    report({ type: "stage", name: "layer-importance", done: index, total: model.spec.layers.length });
    await runner.layer(await readLayer(model, index), states);
    influences.push(await influenceBetween(before, states, model.spec.hiddenSize));
  }
  await runner.release();
  return influences;
}

/** Of what turned the states before into those after, which then take their place. */
async function influenceBetween(before: HiddenStates, after: HiddenStates, hiddenSize: number): Promise<number> {
  const influence = new BlockInfluence(hiddenSize);
  for (let i = 0; i < after.batchCount; i++)
    await after.read(i, ({ hidden: { data: turned } }) =>
      before.update(i, async ({ hidden: { data } }) => {
        influence.add(data, turned);
        data.set(turned);
      }),
    );
  return influence.mean;
}
