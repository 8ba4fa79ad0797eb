// How to find the best model within a limit.
import * as z from "zod";
import { byteSize, PruneOptions } from "./prune.ts";

/** The limits, of which one at least is needed; the rest as in `PruneOptions`, whose sparsity and type are what is looked for. */
export const FitOptions = PruneOptions.omit({
  sparsity: true,
  maxKl: true,
  maxPerplexityIncrease: true,
  sparsityOf: true,
  dtype: true,
  dryRun: true,
}).extend({
  size: byteSize.optional().describe("what is written takes no more than this").meta({ fallback: "no limit" }),
  runtimeMemory: byteSize
    .optional()
    .describe("weights, keys and values, and buffers take no more than this in memory")
    .meta({ fallback: "no limit" }),
  runtimeContext: z.int().min(1).max(16777216).default(4096).describe("tokens whose keys and values count for that"),
});

export type FitOptions = z.output<typeof FitOptions>;
