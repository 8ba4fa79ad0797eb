// What calibration tokens say at the projection that ends one expert of a mixture: second moments of what enters it, each token by
// the square of what the expert's output counts for it.
import { Graph } from "../../compute/graph.ts";
import { mul } from "../../compute/operations/elementwise.ts";
import { RunningSums } from "../../compute/running-sums.ts";
import { tensor } from "../../compute/tensor.ts";
import type { ProjectionStatistics } from "../../linalg/projection.ts";
import type { LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { declareWeights } from "../graphs/layer-values.ts";
import { expert } from "../graphs/mixture.ts";
import { type MixturePrograms, paddedCount, paddedRows, shapesOf, TOKENS_PER_RUN } from "./mixture.ts";

/** Tokens that go through an expert, of all that are routed. */
export interface ExpertTokens {
  /** What the expert may read, f32 [count, hiddenSize]. */
  readonly normed: Float32Array;
  /** Which of them it reads. */
  readonly tokens: Int32Array;
  /** What its output counts for each of these, f32 [tokens.length]. */
  readonly weights: Float32Array;
  /** What should be written in addition for each of all tokens, f32 [count, hiddenSize]; asks for the drift. */
  readonly missing?: Float32Array | undefined;
}

export interface ExpertStatistics extends Pick<ProjectionStatistics, "tokenCount" | "gram" | "mean" | "drift"> {
  /** Σ x² of what its other projections read, f32 [hiddenSize]. */
  readonly entries: Float32Array;
}

/**
 * Sums over the tokens of an expert; z times the token's weight is what is summed.
 *
 * @param mlp     weights by the roles of an MLP
 * @param batches all with or all without something missing
 */
export async function expertStatistics(
  { spec, programs }: MixturePrograms,
  mlp: LayerWeights,
  batches: readonly ExpertTokens[],
): Promise<ExpertStatistics> {
  const { hiddenSize } = spec;
  const inputSize = mlp.downProj!.shape[1]!;
  const all = new RunningSums();
  const sums = {
    gram: all.gram(inputSize),
    total: all.sum([1, inputSize]),
    entries: all.sum([1, hiddenSize]),
    drift: batches[0]?.missing && all.sum([hiddenSize, inputSize]),
  };
  let tokenCount = 0;
  for (const { normed, tokens, weights, missing } of batches)
    for (let start = 0; start < tokens.length; start += TOKENS_PER_RUN) {
      const some = tokens.subarray(start, start + TOKENS_PER_RUN);
      const height = paddedCount(some.length);
      const counts = new Float32Array(height); // rows that fill up count nothing
      counts.set(weights.subarray(start, start + some.length));
      const key = ["expert statistics", height, missing !== undefined, ...shapesOf(mlp)] as const;
      const program = await programs.get(key, () => statisticsGraph(spec, height, mlp, sums));
      const rows = paddedRows(normed, hiddenSize, some, height);
      const asked = missing && { missing: paddedRows(missing, hiddenSize, some, height) };
      const given = { normed: rows, counts: tensor(counts, [height, 1]), ...asked, ...mlp };
      await program.run({ ...given, ...all.inputs }, all.outputs);
      tokenCount += some.length;
    }
  const mean = sums.total.tensor.data.map((sum) => sum / Math.max(tokenCount, 1));
  const drift = sums.drift?.tensor.data;
  return { tokenCount, gram: sums.gram.whole().data, mean, drift, entries: sums.entries.tensor.data };
}

interface Sums {
  readonly gram: ReturnType<RunningSums["gram"]>;
  readonly total: ReturnType<RunningSums["sum"]>;
  readonly entries: ReturnType<RunningSums["sum"]>;
  readonly drift: ReturnType<RunningSums["sum"]> | undefined;
}

function statisticsGraph(spec: DecoderSpec, tokens: number, mlp: LayerWeights, sums: Sums): Graph {
  const graph = new Graph();
  const normed = graph.input("normed", [tokens, spec.hiddenSize]);
  const counts = graph.input("counts", [tokens, 1]);
  const { inputs } = expert(spec, normed, declareWeights(graph, mlp));
  const counted = mul(inputs, counts);
  sums.gram.add(counted);
  sums.total.addRows(counted);
  sums.entries.addRows(mul(normed, normed));
  sums.drift?.addProduct(graph.input("missing", [tokens, spec.hiddenSize]), counted);
  return graph;
}
