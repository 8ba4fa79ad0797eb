// How to measure a model on a text and on tasks.
import * as z from "zod";
import { device, seed, threads } from "./common.ts";

/** How to measure perplexity and, against a dense model, KL divergence; and accuracy on tasks. */
export const EvalOptions = z.strictObject({
  context: z.int().min(2).max(131072).default(512).describe("tokens in a window"),
  windows: z.int().min(0).max(1048576).default(16).describe("windows from the start of the text, 0 for all"),
  /** A window then has `context` + 1 tokens. */
  bos: z.boolean().default(false).describe("prepend the BOS token to each window"),
  tasks: z
    .string()
    .optional()
    .describe("zero-shot tasks, comma-separated, scored as lm-evaluation-harness does")
    .meta({ value: "all|LIST" }),
  probes: z
    .boolean()
    .default(false)
    .describe("small sets of our own: arithmetic, copying, code, a second language, JSON, loops"),
  seed: seed.describe("makes the questions of the probes repeatable"),
  limit: z.int().min(0).max(1048576).default(0).describe("questions of each task from its start, 0 for all"),
  device,
  threads,
});

export type EvalOptions = z.output<typeof EvalOptions>;

/** What of it decides the figures of a text. */
export type Judging = Pick<EvalOptions, "context" | "windows" | "bos">;
