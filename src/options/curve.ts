// How to show size against quality.
import * as z from "zod";
import { CompareOptions } from "./compare.ts";
import { PruneOptions } from "./prune.ts";

/** How to prune at many sizes, for the quality alone. */
export const CurveOptions = PruneOptions.omit({
  maxKl: true,
  maxPerplexityIncrease: true,
  dtype: true,
  maxShardSize: true,
  dryRun: true,
  probes: true,
  vocabulary: true,
  vocabularySize: true,
}).extend({
  sparsity: CompareOptions.shape.sparsity.default([0.1, 0.2, 0.3, 0.4, 0.5]),
  quantized: CompareOptions.shape.quantized,
  as: z.enum(["folder", "gguf"]).default("folder").describe("what would be written; it decides what --widths auto is"),
});

export type CurveOptions = z.output<typeof CurveOptions>;
