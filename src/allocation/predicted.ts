// What a choice of sizes will do to the prediction, as far as costs measured one by one add up.
import type { LayerSizes } from "../model/layer-sizes.ts";
import { headSteps, type LayerCosts } from "./curves.ts";

/** KL divergence when a layer is cut from its sizes to others on its curves, nats per token. */
export function predictedDivergence(costs: LayerCosts, before: LayerSizes, after: LayerSizes): number {
  const removed = before.intermediateSize - after.intermediateSize;
  const rest = before.intermediateSize > 0 && after.intermediateSize === 0 ? (costs.restOfMlp ?? 0) : 0;
  const steps = headSteps(before);
  const taken = steps.findIndex(({ numAttentionHeads }) => numAttentionHeads === after.numAttentionHeads) + 1;
  return sum(costs.neurons.subarray(0, removed)) + rest + sum(costs.heads.subarray(0, taken));
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
