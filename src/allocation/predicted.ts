// What a choice of sizes will do to the prediction, as far as costs measured one by one add up; so that a person knows whether the
// other choice of widths is worth a run of its own.
import type { Method } from "../method/method.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { LayerIndex } from "../model/spec/layer-index.ts";
import { type LayerSizes, sizesOf } from "../model/spec/parts.ts";
import { mostRemovable } from "./by-cost.ts";
import { headSteps, type LayerCosts, neuronsOnly } from "./curves.ts";
import { reachedSparsity } from "./equal-widths.ts";
import { whyOutOfReach } from "./layer-count.ts";
import { equalSpec, perLayerSpec } from "./sizes.ts";

/** The layers of a source model that stay, and the model that they become. */
interface ChosenSizes {
  readonly keptLayers: readonly LayerIndex[];
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
  method: Method,
  sparsity: number,
): number | undefined {
  if (whyOutOfReach(source, method, sparsity) !== undefined) return undefined;
  const equal = equalSpec(source, chosen.keptLayers, method, sparsity);
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
  method: Method,
): number | undefined {
  if (removals.some(({ length }) => length === 0)) return undefined;
  const { keptLayers } = chosen;
  const costs: LayerCosts[] = [];
  keptLayers.forEach((index, position) => {
    const most = mostRemovable(sizesOf(source.layers[index]!).intermediateSize);
    costs[index] = neuronsOnly(continuedCosts(removals[position]!, most));
  });
  const sparsity = reachedSparsity(source, chosen.spec, method.sparsityOf);
  const spec = perLayerSpec(source, keptLayers, costs, method, sparsity);
  return ratio(predicted(source, { keptLayers, spec }, costs), predicted(source, chosen, costs));
}

const predicted = (source: DecoderSpec, { keptLayers, spec }: ChosenSizes, costs: readonly LayerCosts[]): number =>
  keptLayers.reduce(
    (sum, index, position) =>
      sum + predictedDivergence(costs[index]!, sizesOf(source.layers[index]!), sizesOf(spec.layers[position]!)),
    0,
  );

const ratio = (other: number, own: number): number | undefined => (own > 0 ? other / own : undefined);

/** KL divergence when a layer is cut from its sizes to others on its curves, nats per token. */
export function predictedDivergence(costs: LayerCosts, before: LayerSizes, after: LayerSizes): number {
  const removed = before.intermediateSize - after.intermediateSize;
  const rest = before.intermediateSize > 0 && after.intermediateSize === 0 ? (costs.restOfMlp ?? 0) : 0;
  const steps = headSteps(before);
  const taken = steps.findIndex(({ numAttentionHeads }) => numAttentionHeads === after.numAttentionHeads) + 1;
  return sum(costs.neurons.subarray(0, removed)) + rest + sum(costs.heads.subarray(0, taken));
}

/**
 * Marginal costs beyond the last one measured, growing as they did between the last two eighths: a guess, good for a
 * comparison only.
 *
 * @param length of the result; what is measured beyond it is dropped
 */
export function continuedCosts(costs: Float64Array, length: number): Float64Array {
  const piece = Math.max(1, costs.length >> 3);
  const last = mean(costs.subarray(costs.length - piece));
  const before = mean(costs.subarray(costs.length - 2 * piece, costs.length - piece));
  const growth = before > 0 ? Math.max(1, last / before) ** (1 / piece) : 1;
  const middle = costs.length - (piece + 1) / 2;
  return Float64Array.from({ length }, (_, i) => costs[i] ?? last * growth ** (i - middle));
}

const mean = (values: Float64Array): number => sum(values) / values.length;

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
