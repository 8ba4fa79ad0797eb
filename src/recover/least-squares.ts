// The kept columns of down_proj refitted so that the layer's output changes least.
import { solveSpd } from "../linalg/cholesky.ts";
import { complement, gatherBlock, gatherColumns } from "../linalg/gather.ts";
import { matrix } from "../linalg/gemm.ts";
import { addToDiagonal, meanDiagonal } from "../linalg/spd.ts";
import type { Recovery } from "./recovery.ts";

const DEFAULT_RIDGE = 1e-3;

/**
 * Ŵ_K = W_K + W_P G_PK (G_KK + λI)⁻¹, λ = ridge · mean diag(G): least squares with a ridge towards the old weights.
 *
 * Solved in f64. Over-fits when the tokens are not many more than the kept neurons and the ridge is small.
 *
 * @see the refit of OSSCAR (Meng et al. 2024, arXiv:2403.12983) and of FASP (arXiv:2501.09412)
 */
export const leastSquares: Recovery = {
  name: "least-squares",
  description: "refit down_proj of the remaining neurons to the layer's output by least squares",
  async recover({ gram, downProj, hiddenSize, kept, ridge = DEFAULT_RIDGE }, { gemm }) {
    const size = downProj.length / hiddenSize;
    const removed = complement(kept, size);
    const fitted = gatherColumns(downProj, size, kept);
    if (removed.length === 0) return { downProj: fitted, diagnostics: { ridge } };
    const cross = matrix(kept.length, removed.length, gatherBlock(gram, size, kept, removed));
    const lost = matrix(hiddenSize, removed.length, new Float64Array(gatherColumns(downProj, size, removed)));
    const change = await gemm(cross, lost, { transB: true });
    const system = gatherBlock(gram, size, kept, kept);
    addToDiagonal(system, kept.length, ridge * meanDiagonal(gram, size));
    await solveSpd(gemm, system, change);
    for (let i = 0; i < hiddenSize; i++)
      for (let j = 0; j < kept.length; j++) fitted[i * kept.length + j]! += change.data[j * hiddenSize + i]!;
    return { downProj: fitted, diagnostics: { ridge } };
  },
};
