// How to compare methods.
import * as z from "zod";
import { seed, threads } from "./common.ts";
import { EvalOptions } from "./eval.ts";
import { type GivenPruneOptions, PruneOptions } from "./prune.ts";

/** Which methods to compare, at which sizes, and on what. Calibration and pruning as in `PruneOptions`. */
export interface CompareOptions
  extends Pick<GivenPruneOptions, "sparsityOf" | "prune" | "widths" | "multipleOf" | "samples" | "seed" | "dtype">,
    EvalOptions {
  /** "all", or names of presets, comma-separated. */
  readonly presets: string;
  readonly sparsity: readonly number[];
  /** Tokens in a calibration window; `context` is that of a judged one. */
  readonly calibrationContext: number;
}

const { sparsityOf, prune, widths, multipleOf, samples, context: calibrationContext, dtype } = PruneOptions.shape;

export const CompareOptions: z.ZodObject = z.strictObject({
  presets: z.string().default("all").describe("the methods, comma-separated").meta({ value: "all|LIST" }),
  sparsity: z
    .array(z.number().min(0).max(0.95))
    .min(1)
    .default([0.2])
    .describe("fractions of the parameters to remove")
    .meta({ value: "LIST", expected: "numbers between 0 and 0.95, such as 0.1,0.2" }),
  sparsityOf,
  prune,
  widths: widths!
    .describe("equal: in every preset; per-layer: in best too")
    .meta({ fallback: "as each preset has them" }),
  multipleOf,
  samples,
  calibrationContext: calibrationContext!.describe("tokens in a calibration window"),
  seed,
  dtype,
  context: EvalOptions.shape.context!.describe("tokens in a judged window"),
  windows: EvalOptions.shape.windows,
  bos: EvalOptions.shape.bos,
  threads,
}) satisfies z.ZodType<CompareOptions>;
