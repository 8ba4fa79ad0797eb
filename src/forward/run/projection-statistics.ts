// What calibration tokens say at the projection that ends a sublayer, o_proj or down_proj, from the sums over them.
import { Graph } from "../../compute/graph.ts";
import { reshape } from "../../compute/operations/elementwise.ts";
import { gemm } from "../../compute/operations/linear.ts";
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
  /** z of each batch, [tokens, inputSize], where they were asked for. */
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
    await takeOffWritten(programs, name, layer, sums, gram);
    return { gram: await keep(gram.data), drift: sums.drift && (await keep(sums.drift.tensor.data)) };
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

/** Makes a drift that holds all that was asked for one of what is missing, where that is done once for all tokens. */
async function takeOffWritten(
  { programs }: LayerPrograms,
  name: Sublayer,
  { weights }: DecoderLayer,
  sums: ProjectionSums,
  gram: Tensor,
): Promise<void> {
  const { weight, bias, outputNorm } = PROJECTION_ROLES[name];
  const [drift, total] = [sums.drift?.tensor, sums.total.tensor];
  if (drift === undefined || weights[outputNorm]) return;
  const used = Object.fromEntries([weight, bias].flatMap((role) => (weights[role] ? [[role, weights[role]]] : [])));
  const key = [`${name} drift`, ...drift.shape, ...Object.keys(used)] as const;
  const program = await programs.get(key, () => driftGraph(name, drift.shape, used));
  await program.run({ ...used, gram, total, asked: drift }, { drift });
}

/**
 * The drift of a projection without a norm behind it: Σ e zᵀ = Σ (target − x) zᵀ − W Σ z zᵀ − b Σ zᵀ. What a norm asks of a
 * token depends on what is written for that token, and is summed as it is.
 *
 * @param shape [outputSize, inputSize]
 */
function driftGraph(name: Sublayer, [outputSize, inputSize]: readonly number[], weights: LayerWeights): Graph {
  const graph = new Graph();
  const values = declareWeights(graph, weights);
  const roles = PROJECTION_ROLES[name];
  const [weight, bias] = [values[roles.weight]!, values[roles.bias]];
  const total = graph.input("total", [1, inputSize!]);
  const asked = graph.input("asked", [outputSize!, inputSize!]);
  const left = gemm(weight, graph.input("gram", [inputSize!, inputSize!]), { alpha: -1, addTo: asked });
  graph.output("drift", bias ? gemm(reshape(bias, [outputSize!, 1]), total, { alpha: -1, addTo: left }) : left);
  return graph;
}
