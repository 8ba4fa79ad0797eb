// The mean of what was removed, added back as a bias.
import { complement, gatherColumns } from "../linalg/gather.ts";
import type { Recovery } from "./recovery.ts";

/**
 * Ŵ = W_K, b = W_P z̄_P with z̄ the mean of Z over the tokens: of all constants the one that leaves the least error.
 *
 * @see An et al. 2023 (FLAP), arXiv:2312.11983, section "baseline bias compensation"
 */
export const bias: Recovery = {
  name: "bias",
  description: "add the mean output of the removed neurons as a bias of down_proj (FLAP)",
  async recover({ downProj, hiddenSize, mean, kept }) {
    const size = downProj.length / hiddenSize;
    const added = new Float32Array(hiddenSize);
    for (const j of complement(kept, size))
      for (let i = 0; i < hiddenSize; i++) added[i]! += downProj[i * size + j]! * mean[j]!;
    return { downProj: gatherColumns(downProj, size, kept), bias: added, diagnostics: {} };
  },
};
