// The gradient through a mixture of experts, one expert at a time. Which experts a token goes to is held fixed; what their outputs
// count is not.
import { differentiate } from "../../compute/differentiate.ts";
import { Graph } from "../../compute/graph.ts";
import { add, mul, scale, sum } from "../../compute/operations/elementwise.ts";
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { DecoderLayer, LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { sublayerWeights } from "../graphs/decoder-layer.ts";
import { declareWeights } from "../graphs/layer-values.ts";
import { expert, expertWeights, router, sharedExpert } from "../graphs/mixture.ts";
import {
  type MixturePrograms,
  paddedCount,
  paddedRows,
  type RoutedTokens,
  routeBatch,
  shapesOf,
  tokensOf,
} from "../run/mixture.ts";

/**
 * The gradient towards what enters a mixture, its residual included.
 *
 * @param x        what enters it [tokens, hiddenSize]
 * @param upstream gradient towards what comes out [tokens, hiddenSize]
 */
export async function mixtureGradient(
  { spec, programs }: MixturePrograms,
  layer: DecoderLayer,
  x: Tensor<Float32Array>,
  upstream: Tensor<Float32Array>,
): Promise<Float32Array> {
  const routed = await routeBatch({ spec, programs }, layer, x);
  const towards = await throughExperts({ spec, programs }, layer, routed, upstream.data);
  const used = sublayerWeights("mlp", spec, layer);
  const { count } = routed;
  const experts = layer.experts!.count;
  const program = await programs.get(["router gradient", count, ...shapesOf(used)], () =>
    routerGradientGraph(spec, count, experts, used),
  );
  const chosen = tensor(routed.chosen, [count, experts]);
  const { towardsInput } = await program.run({ x, upstream, chosen, ...towards, ...used });
  return towardsInput!.data as Float32Array;
}

/** Gradients towards the normed states [tokens, hiddenSize] and towards the weights of experts [tokens, experts]. */
interface ExpertGradients extends Record<string, Tensor<Float32Array>> {
  readonly towardsNormed: Tensor<Float32Array>;
  readonly towardsWeights: Tensor<Float32Array>;
}

async function throughExperts(
  { spec, programs }: MixturePrograms,
  { experts }: DecoderLayer,
  routed: RoutedTokens,
  upstream: Float32Array,
): Promise<ExpertGradients> {
  const { hiddenSize } = spec;
  const { count, normed, weights } = routed;
  const size = experts!.count;
  const towardsNormed = new Float32Array(count * hiddenSize);
  const towardsWeights = new Float32Array(count * size);
  for (let e = 0; e < size; e++) {
    const tokens = tokensOf(e, routed);
    if (tokens.length === 0) continue;
    const mlp = await experts!.read(e);
    const height = paddedCount(tokens.length);
    const program = await programs.get(["expert gradient", height, ...shapesOf(mlp)], () =>
      expertGradientGraph(spec, height, mlp),
    );
    const found = await program.run({
      normed: paddedRows(normed, hiddenSize, tokens, height),
      upstream: paddedRows(upstream, hiddenSize, tokens, height),
      counts: paddedRows(
        Float32Array.from(tokens, (token) => weights[token * size + e]!),
        1,
        tokens.map((_, i) => i),
        height,
      ),
      ...mlp,
    });
    const [rows, slopes] = [found.towardsNormed!.data as Float32Array, found.slopes!.data as Float32Array];
    for (const [row, token] of tokens.entries()) {
      towardsWeights[token * size + e] = slopes[row]!;
      for (let i = 0; i < hiddenSize; i++) towardsNormed[token * hiddenSize + i]! += rows[row * hiddenSize + i]!;
    }
  }
  return {
    towardsNormed: tensor(towardsNormed, [count, hiddenSize]),
    towardsWeights: tensor(towardsWeights, [count, size]),
  };
}

/** `counts` is what the expert's output counts for each of the tokens, `slopes` the gradient towards that. [tokens, 1] */
function expertGradientGraph(spec: DecoderSpec, tokens: number, mlp: LayerWeights): Graph {
  const graph = new Graph();
  const normed = graph.input("normed", [tokens, spec.hiddenSize]);
  const towards = scale(graph.input("upstream", [tokens, spec.hiddenSize]), spec.residualScale);
  const counts = graph.input("counts", [tokens, 1]);
  const { written } = expert(spec, normed, declareWeights(graph, mlp));
  graph.output("slopes", sum(mul(written, towards), [1]));
  graph.output("towardsNormed", differentiate(graph, [[written, mul(towards, counts)]], [normed])[0]!);
  return graph;
}

/** Through the router, the shared expert and the norm, from the gradients that the experts give. */
function routerGradientGraph(spec: DecoderSpec, tokens: number, experts: number, weights: LayerWeights): Graph {
  const graph = new Graph();
  const shape = [tokens, spec.hiddenSize];
  const x = graph.input("x", shape);
  const upstream = graph.input("upstream", shape);
  const values = declareWeights(graph, weights);
  const { normed, logits } = router(spec, x, values);
  const counts = expertWeights(spec.routing!, logits, graph.input("chosen", [tokens, experts]));
  const seeds = [
    [normed, graph.input("towardsNormed", shape)] as const,
    [counts, graph.input("towardsWeights", [tokens, experts])] as const,
    ...(values.sharedDown ? [[sharedExpert(spec, normed, values), scale(upstream, spec.residualScale)] as const] : []),
  ];
  const [inner] = differentiate(graph, seeds, [x]);
  graph.output("towardsInput", add(inner!, upstream));
  return graph;
}
