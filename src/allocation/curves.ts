// From what the parts of a layer cost to the steps in which they can go.

import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { LayerIndex } from "../model/spec/layer-index.ts";
import { countLayer } from "../model/spec/parameters.ts";
import { type LayerSizes, resized, sizesOf } from "../model/spec/parts.ts";
import type { Step } from "./by-cost.ts";

/** What a layer's parts cost, each beyond those before it, nats per token. */
export interface LayerCosts {
  /** Of each further neuron, in the order of removal, down to the least width. */
  readonly neurons: Float64Array;
  /** Of all the neurons that are left then; undefined where an MLP has to stay. */
  readonly restOfMlp: number | undefined;
  /** Of the steps of `headSteps`; empty where heads have to stay. */
  readonly heads: Float64Array;
}

/** Costs of neurons where nothing else may go. */
export const neuronsOnly = (neurons: Float64Array): LayerCosts => ({
  neurons,
  restOfMlp: undefined,
  heads: new Float64Array(0),
});

export interface CurveOptions {
  /** Neurons in a step; the first step is smaller when the width is no multiple of it. */
  readonly neurons: number;
  /** Which parameters count. */
  readonly of: "all" | "decoder";
}

/** Sizes of an attention as it loses a query head of each group, or the groups where each has but one: the last is none. */
export function headSteps({
  numAttentionHeads,
  numKeyValueHeads,
}: LayerSizes): Pick<LayerSizes, "numAttentionHeads" | "numKeyValueHeads">[] {
  const group = numKeyValueHeads === 0 ? 0 : numAttentionHeads / numKeyValueHeads;
  const count = group > 1 ? group : numKeyValueHeads;
  return Array.from({ length: count }, (_, i) => {
    const left = count - 1 - i;
    return {
      numAttentionHeads: (numAttentionHeads / count) * left,
      numKeyValueHeads: left === 0 ? 0 : group > 1 ? numKeyValueHeads : left,
    };
  });
}

/** The curves of a layer's MLP and of its attention. */
export function stepsOf(spec: DecoderSpec, index: LayerIndex, costs: LayerCosts, options: CurveOptions): Step[][] {
  const layer = spec.layers[index]!;
  const mlp = neuronSteps(sizesOf(layer).intermediateSize, costs, options.neurons);
  const heads = headSteps(sizesOf(layer)).slice(0, costs.heads.length);
  const attention = heads.map((sizes, i) => ({ sizes, cost: costs.heads[i]! }));
  return [mlp, attention].map((steps) => withParameters(spec, index, steps, options.of));
}

type BareStep = Omit<Step, "parameters">;

function neuronSteps(width: number, { neurons, restOfMlp }: LayerCosts, size: number): BareStep[] {
  const steps: BareStep[] = [];
  let start = 0;
  for (let end = width % size || size; end <= neurons.length; start = end, end += size) {
    const cost = neurons.subarray(start, end).reduce((sum, value) => sum + value, 0);
    steps.push({ cost, sizes: { intermediateSize: width - end } });
  }
  if (restOfMlp === undefined || start === width) return steps;
  const cost = neurons.subarray(start).reduce((sum, value) => sum + value, restOfMlp);
  return [...steps, { cost, sizes: { intermediateSize: 0 } }];
}

function withParameters(spec: DecoderSpec, index: number, steps: readonly BareStep[], of: "all" | "decoder"): Step[] {
  const count = (sizes: Partial<LayerSizes>): number => {
    const layers = spec.layers.with(index, resized(spec.layers[index]!, sizes));
    const counts = countLayer({ ...spec, layers }, index);
    return of === "all" ? counts.total : counts.matrices;
  };
  const counts = [count({}), ...steps.map(({ sizes }) => count(sizes))];
  return steps.map((step, i) => ({ ...step, parameters: counts[i]! - counts[i + 1]! }));
}
