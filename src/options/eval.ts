// How to measure a model on a text and on tasks.
import * as z from "zod";
import { device, seed, threads } from "./common.ts";
import { protocols } from "./protocols.ts";
import { namesOf } from "./schema.ts";

/** Tokens of a judged window, and how many windows, where both have to be said or have a default. */
export const judgedWindows = {
  context: z.int().min(2).max(131072).describe("tokens in a judged window"),
  windows: z.int().min(0).max(1048576).describe("windows from the start of the text, 0 for all"),
};

/** How to measure perplexity and, against a dense model, KL divergence; and accuracy on tasks. */
export const EvalOptions = z.strictObject({
  protocol: z
    .enum(namesOf(protocols))
    .default("windows")
    .describe("how a text is judged: windows side by side, strided ones, or as LLM-Pruner and Wanda have it"),
  context: judgedWindows.context.optional().meta({ fallback: "512; 128 and 2048 as LLM-Pruner and Wanda have it" }),
  windows: judgedWindows.windows.optional().meta({ fallback: "16; all as LLM-Pruner and Wanda have it" }),
  stride: z
    .int()
    .min(1)
    .max(131071)
    .optional()
    .describe("tokens from one window to the next, with --protocol strided")
    .meta({ fallback: "half of a window" }),
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
