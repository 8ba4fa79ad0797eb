// How to measure a model on a text.
import * as z from "zod";
import { device, threads } from "./common.ts";

/** How to measure perplexity and, against a dense model, KL divergence. */
export const EvalOptions = z.strictObject({
  context: z.int().min(2).max(131072).default(512).describe("tokens in a window"),
  windows: z.int().min(0).max(1048576).default(16).describe("windows from the start of the text, 0 for all"),
  /** A window then has `context` + 1 tokens. */
  bos: z.boolean().default(false).describe("prepend the BOS token to each window"),
  device,
  threads,
});

export type EvalOptions = z.output<typeof EvalOptions>;

/** What of it decides the figures. */
export type Judging = Omit<EvalOptions, "device" | "threads">;
