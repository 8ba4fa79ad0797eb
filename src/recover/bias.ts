// The mean of what was removed, added back as a bias.
import { complement, gatherColumns } from "../linalg/gather.ts";
import type { Recovery } from "./recovery.ts";

/**
 * Ŵ = W_K, b = W_P z̄_P with z̄ the mean of Z over the tokens: of all constants the one that leaves the least error.
 *
 * @see An et al. 2023 (FLAP), arXiv:2312.11983, section "baseline bias compensation"
 */
export const bias: Recovery = {
  addsBias: true,
  async recover({ weight, inputSize, outputSize }, { mean }, kept) {
    const added = new Float32Array(outputSize);
    for (const j of complement(kept, inputSize))
      for (let i = 0; i < outputSize; i++) added[i]! += weight[i * inputSize + j]! * mean[j]!;
    return { weight: gatherColumns(weight, inputSize, kept), bias: added };
  },
};
