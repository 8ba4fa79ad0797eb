// Widths of its own for each layer: wherever a neuron costs the loss least, it goes first.

/** Least share of a layer's neurons that stays, however cheap they seem. */
const LEAST_SHARE = 0.25;

/** How many neurons of a layer may go at most. */
export const mostRemovable = (intermediateSize: number): number => Math.floor((1 - LEAST_SHARE) * intermediateSize);

/**
 * One threshold on the marginal cost over all layers: the neurons below it go.
 *
 * A layer's marginal costs are made monotone by their running maximum, so that nothing dear is passed to reach something
 * cheap behind it. Neurons go in steps of `step`; a layer's first step is smaller when its width is no multiple of it.
 *
 * @param costs marginal cost of each further neuron, per layer, comparable between layers, in the order of removal
 * @param widths neurons of each layer
 * @param total neurons to remove at least; fewer only when all layers are at their floor
 * @returns width of each layer
 */
export function widthsByCost(
  costs: readonly Float64Array[],
  widths: readonly number[],
  total: number,
  step: number,
): number[] {
  const steps = costs
    .flatMap((curve, layer) => stepsOf(curve, layer, widths[layer]!, step))
    .sort((a, b) => a.cost - b.cost || a.end - b.end);
  const result = [...widths];
  let left = total;
  for (const { layer, start, end } of steps) {
    if (left <= 0) break;
    result[layer]! -= end - start;
    left -= end - start;
  }
  return result;
}

interface Step {
  readonly layer: number;
  readonly start: number;
  readonly end: number;
  /** Running maximum of the mean marginal cost of the layer's steps up to here. */
  readonly cost: number;
}

function stepsOf(curve: Float64Array, layer: number, width: number, step: number): Step[] {
  const steps: Step[] = [];
  let highest = Number.NEGATIVE_INFINITY;
  for (let start = 0, end = width % step || step; end <= curve.length; start = end, end += step) {
    const mean = curve.subarray(start, end).reduce((sum, cost) => sum + cost, 0) / (end - start);
    highest = Math.max(highest, mean);
    steps.push({ layer, start, end, cost: highest });
  }
  return steps;
}
