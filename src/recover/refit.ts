// Columns of a projection refitted when others are gone or when its output should change: one linear system for both.
import { solveSpd } from "../linalg/cholesky.ts";
import { complement, gatherBlock, gatherColumns } from "../linalg/gather.ts";
import { type Gemm, matrix } from "../linalg/gemm.ts";
import { addToDiagonal, meanDiagonal } from "../linalg/spd.ts";

export interface RefitInput {
  /** G = ZᵀZ, f32 [m, m]; Z [tokens, m] enters the projection. */
  readonly gram: Float32Array;
  /** W, f32 [hiddenSize, m]. */
  readonly projection: Float32Array;
  readonly hiddenSize: number;
  /** Columns that stay, ascending [k]. */
  readonly kept: Int32Array;
  /** λ as a share of the mean of G's diagonal. */
  readonly ridge: number;
  /** D = EᵀZ, f32 [hiddenSize, m]: E [tokens, hiddenSize] is what the output should gain. None: it should stay as it is. */
  readonly drift?: Float32Array | undefined;
}

/**
 * Ŵ_K = W_K + (W_P G_PK + D_K) (G_KK + λI)⁻¹: least squares to the target Z Wᵀ + E, with a ridge towards the old weights.
 *
 * Solved in f64.
 *
 * @returns f32 [hiddenSize, k]
 * @throws {CompError} "numeric" when the statistics are not finite or the system cannot be solved
 */
export async function refitColumns(gemm: Gemm, input: RefitInput): Promise<Float32Array> {
  const { gram, projection, hiddenSize, kept, ridge, drift } = input;
  const size = projection.length / hiddenSize;
  const removed = complement(kept, size);
  const fitted = gatherColumns(projection, size, kept);
  if (removed.length === 0 && drift === undefined) return fitted;
  const change = matrix(kept.length, hiddenSize, new Float64Array(kept.length * hiddenSize));
  if (drift) addTransposed(change.data, gatherColumns(drift, size, kept), hiddenSize);
  if (removed.length > 0) {
    const cross = matrix(kept.length, removed.length, gatherBlock(gram, size, kept, removed));
    const lost = matrix(hiddenSize, removed.length, new Float64Array(gatherColumns(projection, size, removed)));
    await gemm(cross, lost, { transB: true }, change);
  }
  const system = gatherBlock(gram, size, kept, kept);
  addToDiagonal(system, kept.length, ridge * meanDiagonal(gram, size));
  await solveSpd(gemm, system, change);
  addTransposed(fitted, change.data, kept.length);
  return fitted;
}

/** target [cols, rows] += source [rows, cols] transposed. */
function addTransposed(target: Float32Array | Float64Array, source: Float32Array | Float64Array, rows: number): void {
  const cols = source.length / rows;
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) target[j * rows + i]! += source[i * cols + j]!;
}
