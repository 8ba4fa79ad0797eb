// The kept columns of down_proj refitted so that the layer's output changes least.
import type { Recovery } from "./recovery.ts";
import { refitColumns } from "./refit.ts";

export const DEFAULT_RIDGE = 1e-3;

/**
 * Least squares with a ridge towards the old weights (refit.ts).
 *
 * Over-fits when the tokens are not many more than the kept neurons and the ridge is small.
 *
 * @see the refit of OSSCAR (Meng et al. 2024, arXiv:2403.12983) and of FASP (arXiv:2501.09412)
 */
export const leastSquares: Recovery = {
  name: "least-squares",
  description: "refit down_proj of the remaining neurons to the layer's output by least squares",
  async recover({ gram, downProj, hiddenSize, kept, ridge = DEFAULT_RIDGE }, { gemm }) {
    const fitted = await refitColumns(gemm, { gram, projection: downProj, hiddenSize, kept, ridge });
    return { downProj: fitted, diagnostics: { ridge } };
  },
};
