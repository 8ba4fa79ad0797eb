// No recovery: the columns of down_proj as they are.
import { gatherColumns } from "../linalg/gather.ts";
import type { Recovery } from "./recovery.ts";

/** Ŵ = W_K. */
export const none: Recovery = {
  name: "none",
  description: "keep the remaining weights as they are",
  recover: async ({ downProj, gram, kept }) => ({
    downProj: gatherColumns(downProj, Math.sqrt(gram.length), kept),
    diagnostics: {},
  }),
};
