// How to show size against quality.
import * as z from "zod";
import { CompareOptions } from "./compare.ts";
import { type GivenPruneOptions, PruneOptions } from "./prune.ts";

/** How to prune at many sizes, for the quality alone. */
export interface CurveOptions
  extends Omit<
    GivenPruneOptions,
    "sparsity" | "maxKl" | "maxPerplexityIncrease" | "dtype" | "maxShardSize" | "dryRun"
  > {
  readonly sparsity: readonly number[];
  /** What the models would be written as. */
  readonly as: "folder" | "gguf";
}

export const CurveOptions: z.ZodObject = PruneOptions.omit({
  maxKl: true,
  maxPerplexityIncrease: true,
  dtype: true,
  maxShardSize: true,
  dryRun: true,
}).extend({
  sparsity: CompareOptions.shape.sparsity!.default([0.1, 0.2, 0.3, 0.4, 0.5]),
  as: z.enum(["folder", "gguf"]).default("folder").describe("what would be written; it decides what --widths auto is"),
});
