// The gradient of the loss towards the weights of every MLP, and attention if wanted, layer by layer, on the way back from the last to the first.
import { differentiate } from "../../compute/differentiate.ts";
import { Graph } from "../../compute/graph.ts";
import { add } from "../../compute/operations/index.ts";
import { type Tensor, tensor } from "../../compute/tensor.ts";
import { type LayerWeights, readLayer } from "../../model/read-layer.ts";
import type { LayerSpec } from "../../model/spec/decoder-spec.ts";
import { declareWeights, type LayerContext, wholeLayer } from "../graphs/decoder-layer.ts";
import type { HiddenBatch } from "../run/hidden-states.ts";
import { declarePosition, keyOf } from "../run/layer-runner.ts";
import { type GradientRequest, towardsLastLayer } from "./gradient-sweep.ts";

const MLP = ["gateProj", "upProj", "downProj"] as const;
const ATTENTION = ["qProj", "kProj", "vProj", "oProj"] as const;
type Matrix = (typeof MLP)[number] | (typeof ATTENTION)[number];

export interface WeightGradients {
  readonly index: number;
  readonly layer: LayerSpec;
  readonly weights: LayerWeights;
  /** ∂L/∂W, L the log-loss summed over all tokens; of the shapes of the weights. Nothing of a part that is absent. */
  readonly gradients: Readonly<Partial<Record<Matrix, Tensor<Float32Array>>>>;
}

/** Layers from the last to the first; the gradients of one are dropped before the next. */
export async function* weightGradients(request: GradientRequest): AsyncGenerator<WeightGradients> {
  const { model, signal } = request;
  const states = await towardsLastLayer(request);
  for (const [index, layer] of [...model.spec.layers.entries()].reverse()) {
    signal?.throwIfAborted();
    const weights = await readLayer(model, index);
    yield { index, layer, weights, gradients: await backward(request, layer, weights, index, states) };
  }
}

/** One layer back: `states` hold the gradient towards the layer's output, then towards its input. */
async function backward(
  { runner, model, scratch, heads }: GradientRequest,
  layer: LayerSpec,
  weights: LayerWeights,
  index: number,
  states: readonly HiddenBatch[],
): Promise<WeightGradients["gradients"]> {
  const sums: Partial<Record<Matrix, Tensor<Float32Array>>> = {};
  const roles = [...MLP, ...(heads ? ATTENTION : [])].filter((role) => weights[role] !== undefined);
  for (const role of roles) sums[role] = tensor(new Float32Array(weights[role]!.data.length), weights[role]!.shape);
  const named = (suffix: string): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(sums).map(([role, sum]) => [`${role}${suffix}`, sum]));
  for (const [i, { batch, length, hidden: upstream }] of states.entries()) {
    const x = tensor(await scratch.take(`${index} ${i}`), upstream.shape);
    if (layer.numAttentionHeads === 0 && layer.intermediateSize === 0) continue; // hands its input on as it is
    const context: LayerContext = { spec: model.spec, layer, batch, length };
    const program = await runner.programs.get(keyOf("weight gradient", context, weights), () =>
      weightGradientGraph(context, weights, roles),
    );
    const inputs = { x, upstream, ...weights, ...runner.position(layer, length), ...named("Before") };
    const { towardsInput } = await program.run(inputs, named("After"));
    upstream.data.set(towardsInput!.data as Float32Array);
  }
  return sums;
}

/** From a layer's input x and the gradient `upstream` towards its output: the gradients towards x and the weights named. */
function weightGradientGraph(context: LayerContext, weights: LayerWeights, roles: readonly Matrix[]): Graph {
  const { spec, batch, length } = context;
  const graph = new Graph();
  const shape = [batch * length, spec.hiddenSize];
  const x = graph.input("x", shape);
  const upstream = graph.input("upstream", shape);
  const values = declareWeights(graph, weights);
  const { hidden } = wholeLayer(context, x, values, () => declarePosition(graph, context));
  const wanted = [x, ...roles.map((role) => values[role]!)];
  const [towardsInput, ...gradients] = differentiate(graph, [[hidden, upstream]], wanted);
  graph.output("towardsInput", towardsInput!);
  for (const [i, role] of roles.entries())
    graph.output(`${role}After`, add(gradients[i]!, graph.input(`${role}Before`, weights[role]!.shape)));
  return graph;
}
