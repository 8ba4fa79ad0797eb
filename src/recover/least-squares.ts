// Columns of a projection refitted when others are gone or when its output should change: one linear system for both.
import { solveSpd } from "../linalg/cholesky.ts";
import { complement, gatherBlock, gatherColumns } from "../linalg/gather.ts";
import { type Gemm, type Matrix, matrix } from "../linalg/gemm.ts";
import type { OutputProjection, StoredStatistics } from "../linalg/projection.ts";
import { addToDiagonal, meanDiagonal } from "../linalg/spd.ts";
import type { Recovery, RecoveryContext } from "./recovery.ts";

/**
 * The kept columns refitted so that the layer's output changes least, with a ridge towards the old weights.
 *
 * Over-fits when the tokens are not many more than the kept inputs and the ridge is small.
 *
 * @see the refit of OSSCAR (Meng et al. 2024, arXiv:2403.12983) and of FASP (arXiv:2501.09412)
 */
export const leastSquares: Recovery = {
  recover: async (projection, statistics, kept, context) => ({
    weight: await refitColumns(projection, { gram: () => statistics.gram() }, kept, context),
  }),
};

/** What a refit needs, each sum read when its turn comes; without a drift the output should stay as it is. */
export type RefitStatistics = Pick<StoredStatistics, "gram" | "drift">;

/**
 * Ŵ_K = W_K + (W_P G_PK + D_K) (G_KK + λI)⁻¹: least squares to the target Z Wᵀ + E, with a ridge towards the old weights;
 * D = EᵀZ is the drift, λ = ridge · mean diag(G).
 *
 * Solved in f64.
 *
 * @param kept columns that stay, ascending [k]
 * @returns f32 [outputSize, k]
 * @throws {CompError} "numeric" when the statistics are not finite or the system cannot be solved
 */
export async function refitColumns(
  projection: OutputProjection,
  statistics: RefitStatistics,
  kept: Int32Array,
  context: RecoveryContext,
): Promise<Float32Array> {
  const { weight, inputSize, outputSize } = projection;
  if (kept.length === inputSize && statistics.drift === undefined) return weight.slice();
  const right = matrix(kept.length, outputSize, new Float64Array(kept.length * outputSize));
  await addDrift(projection, statistics, kept, right);
  await addLost(context.gemm, projection, statistics, kept, right);
  const left = await ridgedSystem(projection, statistics, kept, context.ridge);
  await solveSpd(context.gemm, left, right);
  const fitted = gatherColumns(weight, inputSize, kept);
  addTransposed(fitted, right.data, kept.length);
  return fitted;
}

/** The transpose of D_K. Each of these three reads what it needs, so that nothing of it stays while the next one takes as much again. */
async function addDrift(
  { inputSize, outputSize }: OutputProjection,
  { drift }: RefitStatistics,
  kept: Int32Array,
  right: Matrix<Float64Array>,
): Promise<void> {
  if (drift) addTransposed(right.data, gatherColumns(await drift(), inputSize, kept), outputSize);
}

/** The transpose of W_P G_PK: what the inputs that go have written, as those that stay tell it. */
async function addLost(
  gemm: Gemm,
  { weight, inputSize, outputSize }: OutputProjection,
  statistics: RefitStatistics,
  kept: Int32Array,
  right: Matrix<Float64Array>,
): Promise<void> {
  const removed = complement(kept, inputSize);
  if (removed.length === 0) return;
  const block = gatherBlock(await statistics.gram(), inputSize, kept, removed);
  const lost = matrix(outputSize, removed.length, new Float64Array(gatherColumns(weight, inputSize, removed)));
  await gemm(matrix(kept.length, removed.length, block), lost, { transB: true }, right);
}

/** G_KK + λI, f64 [k, k]. */
async function ridgedSystem(
  { inputSize }: OutputProjection,
  statistics: RefitStatistics,
  kept: Int32Array,
  ridge: number,
): Promise<Float64Array> {
  const gram = await statistics.gram();
  const system = gatherBlock(gram, inputSize, kept, kept);
  addToDiagonal(system, kept.length, ridge * meanDiagonal(gram, inputSize));
  return system;
}

/** target [cols, rows] += source [rows, cols] transposed. */
function addTransposed(target: Float32Array | Float64Array, source: Float32Array | Float64Array, rows: number): void {
  const cols = source.length / rows;
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) target[j * rows + i]! += source[i * cols + j]!;
}
