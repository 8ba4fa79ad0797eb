// Sizes of its own for each layer: whatever costs the loss least for the parameters that it brings goes first.

import type { LayerPosition } from "../model/spec/layer-index.ts";
import type { LayerSizes } from "../model/spec/parts.ts";

/** Least share of a layer's neurons that stays unless all of them go, however cheap they seem. */
const LEAST_SHARE = 0.25;

/** How many neurons of a layer may go at most before the last step takes the rest. */
export const mostRemovable = (intermediateSize: number): number => Math.floor((1 - LEAST_SHARE) * intermediateSize);

/** Something that a layer can give up after what stands before it on its curve. */
export interface Step {
  readonly parameters: number;
  /** In a unit that is comparable between curves. */
  readonly cost: number;
  /** What the layer has afterwards, as far as this curve is concerned. */
  readonly sizes: Partial<LayerSizes>;
}

/** One part of a layer and what it can give up, step by step. */
export interface CostCurve {
  readonly position: LayerPosition;
  readonly steps: readonly Step[];
}

/**
 * One threshold on the marginal cost per parameter over all curves: the steps below it are taken.
 *
 * A curve's marginal costs are made monotone by their running maximum, so that nothing expensive is passed to reach something
 * cheap behind it. Steps that turn out not to be needed, because a large one came last, are given back, the most expensive first.
 *
 * @param sizes of each layer as it is
 * @param parameters to remove at least; fewer only when all curves end
 * @returns sizes of each layer afterwards
 */
export function sizesByCost(
  curves: readonly CostCurve[],
  sizes: readonly LayerSizes[],
  parameters: number,
): LayerSizes[] {
  const candidates = curves.flatMap(ratedSteps).sort((a, b) => a.rate - b.rate);
  const taken: RatedStep[] = [];
  let left = parameters;
  for (const step of candidates) {
    if (left <= 0) break;
    taken.push(step);
    left -= step.parameters;
  }
  const result = [...sizes];
  for (const { position, sizes: after } of withoutSurplus(taken, -left))
    result[position] = { ...result[position]!, ...after };
  return result;
}

interface RatedStep extends Step {
  readonly curve: CostCurve;
  readonly position: LayerPosition;
  /** Running maximum of the cost per parameter up to here. */
  readonly rate: number;
}

function ratedSteps(curve: CostCurve): RatedStep[] {
  let rate = Number.NEGATIVE_INFINITY;
  return curve.steps.map((step) => {
    rate = Math.max(rate, step.cost / step.parameters);
    return { ...step, curve, position: curve.position, rate };
  });
}

/** The steps in the order in which they were taken, without those whose parameters fit into the surplus. */
function withoutSurplus(taken: readonly RatedStep[], surplus: number): RatedStep[] {
  const needed: RatedStep[] = [];
  const settled = new Set<CostCurve>(); // a step on these is needed, hence all before it are
  let left = surplus;
  for (const step of [...taken].reverse()) {
    if (step.parameters <= left && !settled.has(step.curve)) left -= step.parameters;
    else {
      settled.add(step.curve);
      needed.push(step);
    }
  }
  return needed.reverse();
}
