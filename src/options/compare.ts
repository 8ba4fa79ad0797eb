// How to compare methods.
import * as z from "zod";
import { device, fraction, seed, threads } from "./common.ts";
import { dtypeList } from "./dtypes.ts";
import { EvalOptions, judgedWindows } from "./eval.ts";
import { PruneOptions } from "./prune.ts";

const {
  sparsityOf,
  prune,
  widths,
  multipleOf,
  samples,
  context: calibrationContext,
  dtype,
  memory,
} = PruneOptions.shape;

/** Which methods to compare, at which sizes, and on what; calibration and pruning as in `PruneOptions`. */
export const CompareOptions = z.strictObject({
  presets: z.string().default("all").describe("the methods, comma-separated").meta({ value: "all|LIST" }),
  sparsity: z
    .array(fraction(0, 0.95))
    .min(1)
    .default([0.2])
    .describe("fractions of the parameters to remove")
    .meta({ value: "LIST", expected: "numbers between 0 and 0.95, such as 0.1,0.2 or 10%,20%" }),
  sparsityOf,
  prune,
  widths: widths
    .describe("equal: in every preset; per-layer: in best too")
    .meta({ fallback: "as each preset has them" }),
  multipleOf,
  samples,
  calibrationContext: calibrationContext.describe("tokens in a calibration window"),
  seed,
  dtype,
  dtypes: dtypeList.describe("judge each pruned model as GGUF of these types, from one pruning"),
  quantized: dtypeList.describe("judge the dense model too, plainly quantized to these types"),
  context: judgedWindows.context.default(512),
  windows: judgedWindows.windows.default(16),
  bos: EvalOptions.shape.bos,
  tasks: EvalOptions.shape.tasks,
  limit: EvalOptions.shape.limit,
  memory: memory.describe("keep each pruning within so much memory; with little more waits on the disk"),
  device,
  threads,
});

export type CompareOptions = z.output<typeof CompareOptions>;
