// What the other choice of widths would give: predicted, so that a person knows whether it is worth a run of its own.

import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { PruneOptions } from "../options/prune.ts";
import { mostRemovable } from "./by-cost.ts";
import { type LayerCosts, neuronsOnly } from "./curves.ts";
import { equalSpec, perLayerSpec, whyOutOfReach } from "./plan.ts";
import { continuedCosts, predictedDivergence } from "./predicted.ts";
import { reachedSparsity } from "./uniform.ts";

/** What was decided about the layers of a source model. */
export interface ChosenSizes {
  /** Indices in the source model. */
  readonly keptLayers: readonly number[];
  /** The pruned model. */
  readonly spec: DecoderSpec;
}

/**
 * Predicted divergence with equal widths over that of the widths chosen; undefined where equal widths go beyond the curves.
 *
 * @param costs of each layer of the source
 */
export function equalOverOwn(
  source: DecoderSpec,
  chosen: ChosenSizes,
  costs: readonly LayerCosts[],
  options: PruneOptions,
): number | undefined {
  if (whyOutOfReach(source, options) !== undefined) return undefined;
  const equal = equalSpec(source, chosen.keptLayers, options);
  return ratio(predicted(source, { ...chosen, spec: equal }, costs), predicted(source, chosen, costs));
}

/**
 * Predicted divergence with widths of each layer's own, for as many parameters, over that of the equal widths chosen.
 *
 * @param removals what the removal of each neuron cost, per kept layer; what further ones would cost is continued from there
 */
export function ownOverEqual(
  source: DecoderSpec,
  chosen: ChosenSizes,
  removals: readonly Float64Array[],
  options: PruneOptions,
): number | undefined {
  if (removals.some(({ length }) => length === 0)) return undefined;
  const { keptLayers } = chosen;
  const costs: LayerCosts[] = [];
  keptLayers.forEach((index, position) => {
    const most = mostRemovable(source.layers[index]!.intermediateSize);
    costs[index] = neuronsOnly(continuedCosts(removals[position]!, most));
  });
  const sparsity = reachedSparsity(source, chosen.spec, options.sparsityOf);
  const spec = perLayerSpec(source, keptLayers, costs, { ...options, sparsity });
  return ratio(predicted(source, { keptLayers, spec }, costs), predicted(source, chosen, costs));
}

const predicted = (source: DecoderSpec, { keptLayers, spec }: ChosenSizes, costs: readonly LayerCosts[]): number =>
  keptLayers.reduce(
    (sum, index, position) => sum + predictedDivergence(costs[index]!, source.layers[index]!, spec.layers[position]!),
    0,
  );

const ratio = (other: number, own: number): number | undefined => (own > 0 ? other / own : undefined);
