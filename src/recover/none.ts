// No recovery: the remaining weights as they are.
import { gatherColumns } from "../linalg/gather.ts";
import type { Recovery } from "./recovery.ts";

/** Ŵ = W_K. */
export const none: Recovery = {
  recover: async ({ weight, inputSize }, _, kept) => ({ weight: gatherColumns(weight, inputSize, kept) }),
};
