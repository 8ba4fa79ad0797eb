// What a choice of sizes will do to the prediction, as far as costs measured one by one add up.
import type { LayerSizes } from "../model/config/layer-sizes.ts";
import { headSteps, type LayerCosts } from "./curves.ts";

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
