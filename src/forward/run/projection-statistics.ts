// What calibration tokens say at the projection that ends a sublayer, o_proj or down_proj, from the sums over them.
import { Graph } from "../../compute/graph.ts";
import { reshape } from "../../compute/operations/elementwise.ts";
import { gemm } from "../../compute/operations/linear.ts";
import { transpose } from "../../compute/operations/shape.ts";
import type { Tensor } from "../../compute/tensor.ts";
import type { ProjectionStatistics, StoredStatistics } from "../../linalg/projection.ts";
import type { DecoderLayer, LayerWeights } from "../../model/read-layer.ts";
import type { Sublayer } from "../../model/spec/roles.ts";
import { PROJECTION_ROLES } from "../graphs/decoder-layer.ts";
import { declareWeights } from "../graphs/layer-values.ts";
import type { LayerPrograms } from "./programs.ts";
import type { GatheredSums, ProjectionSums } from "./projection-sums.ts";

export interface FoundStatistics {
  readonly statistics: ProjectionStatistics;
  /** z of each batch, [inputSize, tokens], where they were asked for. */
  readonly inputs: readonly Tensor[] | undefined;
  /** Σ x² of what enters the sublayer's other projections, f32 [hiddenSize], where it was asked for. */
  readonly entries: Float32Array | undefined;
}

/** Reads a matrix that is finished. */
export type ReadSum = () => Promise<Float32Array>;

/** Takes matrices that are finished. */
export type KeepSum = (sum: Float32Array) => Promise<ReadSum>;

/** Of matrices that stay in memory. */
export const keepInMemory: KeepSum = async (sum) => async () => sum;

/**
 * The statistics that sums make, one matrix after the other.
 *
 * @param layer of which only what takes part in the projection needs to be there
 */
export async function finishSums(
  programs: LayerPrograms,
  name: Sublayer,
  layer: DecoderLayer,
  { tokenCount, whole, heldOut }: GatheredSums,
  keep: KeepSum,
): Promise<Omit<StoredStatistics, "fisherFactor" | "weightSensitivity">> {
  const finish = async (sums: ProjectionSums) => {
    const gram = sums.gram.whole();
    const drift = await driftOf(programs, name, layer, sums, gram);
    return { gram: await keep(gram.data), drift: drift && (await keep(drift)) };
  };
  const apart = heldOut && (await finish(heldOut));
  const restOfGram = heldOut && (await keep(whole.gram.whole(heldOut.gram).data));
  return {
    tokenCount,
    ...(await finish(whole)),
    mean: whole.total.tensor.data.map((sum) => sum / tokenCount),
    heldOut: apart?.drift && restOfGram && { gram: apart.gram, drift: apart.drift, restOfGram },
  };
}

/** The drift, f32 [outputSize, inputSize], where it was summed. */
async function driftOf(
  { programs }: LayerPrograms,
  name: Sublayer,
  { weights }: DecoderLayer,
  sums: ProjectionSums,
  gram: Tensor,
): Promise<Float32Array | undefined> {
  const asked = sums.drift?.tensor;
  if (asked === undefined) return undefined;
  const { weight, bias, outputNorm } = PROJECTION_ROLES[name];
  const roles = weights[outputNorm] ? [] : [weight, bias]; // what a norm asks for was summed without what is written
  const used = Object.fromEntries(roles.flatMap((role) => (weights[role] ? [[role, weights[role]]] : [])));
  const key = [`${name} drift`, ...asked.shape, ...Object.keys(used)] as const;
  const program = await programs.get(key, () => driftGraph(name, asked.shape, used));
  const { drift } = await program.run({ ...used, gram, total: sums.total.tensor, asked });
  return drift!.data as Float32Array;
}

/**
 * The drift of a projection without a norm behind it: Σ e zᵀ = Σ (target − x) zᵀ − W Σ z zᵀ − b Σ zᵀ, from the transpose of the
 * first. What a norm asks of a token depends on what is written for that token, and is summed as it is.
 *
 * @param shape [inputSize, outputSize]
 */
function driftGraph(name: Sublayer, [inputSize, outputSize]: readonly number[], weights: LayerWeights): Graph {
  const graph = new Graph();
  const values = declareWeights(graph, weights);
  const roles = PROJECTION_ROLES[name];
  const [weight, bias] = [values[roles.weight], values[roles.bias]];
  const total = graph.input("total", [inputSize!, 1]);
  const gram = graph.input("gram", [inputSize!, inputSize!]);
  const asked = transpose(graph.input("asked", [inputSize!, outputSize!]), [1, 0]);
  const left = weight ? gemm(weight, gram, { alpha: -1, addTo: asked }) : asked;
  const drift = bias ? gemm(reshape(bias, [outputSize!, 1]), total, { transB: true, alpha: -1, addTo: left }) : left;
  graph.output("drift", drift);
  return graph;
}
