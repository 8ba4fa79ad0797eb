// How to measure a model on a text.
import * as z from "zod";
import { threads } from "./common.ts";

/** How to measure perplexity and, against a dense model, KL divergence. */
export interface EvalOptions {
  /** Tokens in a window. */
  readonly context: number;
  /** Windows from the start of the text; 0 = all. */
  readonly windows: number;
  /** Prepend the BOS token to each window, which then has `context` + 1 tokens. */
  readonly bos: boolean;
  readonly threads?: number | undefined;
}

export const EvalOptions: z.ZodObject = z.strictObject({
  context: z.int().min(2).max(131072).default(512).describe("tokens in a window"),
  windows: z.int().min(0).max(1048576).default(16).describe("windows from the start of the text, 0 for all"),
  bos: z.boolean().default(false).describe("prepend the BOS token to each window"),
  threads,
}) satisfies z.ZodType<EvalOptions>;
