// All that is found out about the dense model before anything is cut. It holds for every sparsity, so that many can be tried
// after one look.

import type { LayerCosts } from "../allocation/curves.ts";
import { neuronsOnly } from "../allocation/curves.ts";
import { type ChosenSizes, equalOverOwn } from "../allocation/other-widths.ts";
import { anyLayers, equalSpec, perLayerSpec, planLayers } from "../allocation/plan.ts";
import type { StageEvent } from "../events/common.ts";
import { embed, type HiddenBatch } from "../forward/run/hidden-states.ts";
import { layers } from "../forward/run/layer-stream.ts";
import { addInfluence, type Influence, meanInfluence, noInfluence } from "../importance/block-influence.ts";
import { allocatesHeads, needsLossCovariance, type Sweep, searchesSplit, weighsHeads } from "../method/sweep.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { PruneOptions } from "../options/prune.ts";
import { keepInfluential } from "../prune/layers.ts";
import { senseCosts } from "./cost-curves.ts";
import { senseWeights } from "./first-order.ts";
import { senseLoss } from "./fisher-factors.ts";
import { rankAllLayers } from "./global-ranking.ts";
import { measureLayers } from "./layer-ablation.ts";

export interface Evidence {
  /** How much each layer matters, where calibration decides which layers go: Block Influence, or what the loss says. */
  readonly influences?: readonly number[] | undefined;
  /** What the parts of each layer cost, where the layers are compared. */
  readonly costs?: readonly LayerCosts[] | undefined;
  /** Neurons of each layer in the order of their removal, where all of them are ranked at once. */
  readonly orders?: readonly Int32Array[] | undefined;
}

/** What goes and what stays. */
export interface Decision extends ChosenSizes {
  readonly orders?: Evidence["orders"];
  /** How many times the KL divergence equal widths of the same size would have, as costs by loss predict. */
  readonly equalCostRatio?: number | undefined;
}

/**
 * Looks at the dense model; criterion and recovery find what they need of backward sweeps in the scratch space.
 *
 * @param sparsities all that will be decided about
 */
export async function* gatherEvidence(
  sweep: Sweep,
  sparsities: readonly number[],
): AsyncGenerator<StageEvent, Evidence> {
  const { model, calibration, options, criterion, host } = sweep;
  const { backend, collectGarbage, signal } = host;
  const { seed, ridge } = options;
  const counts = sparsities.map((sparsity) => planLayers(model.spec, { ...options, sparsity }));
  const request = {
    ...sweep,
    backend,
    windows: calibration.windows,
    heads: weighsHeads(sweep),
    seed,
    ridge,
    collectGarbage,
    signal,
  };
  const isOpen = searchesSplit(sweep) || counts.some(({ count, removed }) => count > 0 && removed === undefined);
  const measure = criterion.needsLossCovariance ? () => measureLayers(request) : () => measureInfluences(sweep);
  const influences = isOpen ? yield* measure() : undefined;
  if (criterion.needsWeightSensitivity) yield* senseWeights(request);
  if (options.allocation === "loss")
    return { influences, costs: yield* senseCosts(request, allocatesHeads(options) ? "all" : "mlp") };
  if (needsLossCovariance(sweep)) yield* senseLoss(request);
  if (options.allocation === "even") return { influences };
  const removals = yield* rankAllLayers(request);
  const costs = removals.map((removal) => neuronsOnly(removal.costs));
  return { influences, costs, orders: removals.map(({ order }) => order) };
}

/** Coarse stage: Block Influence of each layer on the calibration windows. */
async function* measureInfluences({
  runner,
  model,
  calibration,
  host,
}: Sweep): AsyncGenerator<StageEvent, readonly number[]> {
  const { hiddenSize } = model.spec;
  const states = await embed(model, calibration.windows);
  const influences: number[] = [];
  for await (const { index, layer, weights } of layers(model, host.signal)) {
    yield { type: "stage", name: "layer-importance", done: index, total: model.spec.layers.length };
    const before = states.map(({ hidden }) => hidden.data.slice());
    await runner.forward(layer, weights, states);
    const add = (sum: Influence, { hidden }: HiddenBatch, i: number): Influence =>
      addInfluence(sum, before[i]!, hidden.data, hiddenSize);
    influences.push(meanInfluence(states.reduce(add, noInfluence)));
  }
  return influences;
}

/** Settles what each layer keeps at the sparsity that the options ask for. @throws {CompError} as `planPrune` */
export function decide(spec: DecoderSpec, { influences, costs, orders }: Evidence, options: PruneOptions): Decision {
  const cut = planLayers(spec, options);
  const isOpen = cut.count > 0 && cut.removed === undefined;
  const keptLayers = isOpen ? keepInfluential(influences!, cut.count) : anyLayers(spec, cut);
  const isEven = options.allocation === "even";
  const sizes = isEven ? equalSpec(spec, keptLayers, options) : perLayerSpec(spec, keptLayers, costs!, options);
  const chosen = { keptLayers, spec: sizes };
  const equalCostRatio = options.allocation === "loss" ? equalOverOwn(spec, chosen, costs!, options) : undefined;
  return { ...chosen, orders, equalCostRatio };
}
