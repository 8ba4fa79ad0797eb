// How much a layer's output changed on the calibration tokens, from the Gram matrix alone.
import { gatherBlock, gatherColumns } from "../linalg/gather.ts";
import { type Gemm, matrix } from "../linalg/gemm.ts";
import type { OutputProjection, ProjectionStatistics } from "../linalg/projection.ts";
import type { Recovered } from "./recovery.ts";

/** What an error is computed from. */
export type ErrorStatistics = Pick<ProjectionStatistics, "gram" | "mean" | "tokenCount">;

/** ‖Z Vᵀ‖_F² = tr(V G Vᵀ) for V f32 [rows, size] and G = ZᵀZ f32 [size, size]. */
export async function outputEnergy(gemm: Gemm, gram: Float32Array, weights: Float32Array): Promise<number> {
  const size = Math.sqrt(gram.length);
  if (size === 0) return 0;
  const rows = weights.length / size;
  const { data } = await gemm(matrix(rows, size, weights), matrix(size, size, gram));
  let energy = 0;
  for (let i = 0; i < data.length; i++) energy += data[i]! * weights[i]!;
  return Math.max(energy, 0);
}

/**
 * What a pruned projection's output has lost, ‖ZWᵀ − Z_K Ŵᵀ − 1bᵀ‖_F² over the calibration tokens.
 *
 * @param kept the inputs that stay, ascending [k]
 */
export async function lostEnergy(
  gemm: Gemm,
  { weight, inputSize }: OutputProjection,
  statistics: ErrorStatistics,
  kept: Int32Array,
  recovered: Recovered,
): Promise<number> {
  const change = weight.slice();
  for (let start = 0, i = 0; start < change.length; start += inputSize)
    for (let j = 0; j < kept.length; j++) change[start + kept[j]!]! -= recovered.weight[i++]!;
  const lost = await changeEnergy(gemm, statistics.gram, change);
  return Math.max(lost - gainOfBias(change, recovered.bias, statistics), 0);
}

/** ‖Z Δᵀ‖²; where Δ is zero in most columns, as it is without a recovery, by the far smaller product of the others. */
async function changeEnergy(gemm: Gemm, gram: Float32Array, change: Float32Array): Promise<number> {
  const size = Math.sqrt(gram.length);
  const touched = changedColumns(change, size);
  if (touched.length > size / 2) return outputEnergy(gemm, gram, change);
  const block = new Float32Array(gatherBlock(gram, size, touched, touched));
  return outputEnergy(gemm, block, gatherColumns(change, size, touched));
}

/** By how much b lowers ‖ZΔᵀ − 1bᵀ‖²: N (2 b·Δz̄ − ‖b‖²) for the change Δ of the weights and the mean z̄ of Z. */
function gainOfBias(
  change: Float32Array,
  bias: Float32Array | undefined,
  { mean, tokenCount }: ErrorStatistics,
): number {
  if (bias === undefined) return 0;
  let gain = 0;
  for (let i = 0; i < bias.length; i++) {
    let shift = 0;
    for (let j = 0; j < mean.length; j++) shift += change[i * mean.length + j]! * mean[j]!;
    gain += 2 * bias[i]! * shift - bias[i]! ** 2;
  }
  return tokenCount * gain;
}

/** Columns that are not zero throughout. */
function changedColumns(change: Float32Array, size: number): Int32Array {
  const changed = new Uint8Array(size);
  for (let i = 0; i < change.length; i++) if (change[i] !== 0) changed[i % size] = 1;
  return Int32Array.from(changed.keys()).filter((j) => changed[j] === 1);
}
