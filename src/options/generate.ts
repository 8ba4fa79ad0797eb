// How to continue a prompt.
import * as z from "zod";
import { device, seed, threads } from "./common.ts";

/** How to continue a prompt. */
export const GenerateOptions = z.strictObject({
  prompt: z.string().default("").describe("text to continue").meta({ fallback: "nothing: from BOS" }),
  maxTokens: z.int().min(1).max(131072).default(64).describe("tokens to generate at most"),
  temperature: z.number().min(0).max(10).default(0).describe("0 is greedy"),
  seed,
  device,
  threads,
});

export type GenerateOptions = z.output<typeof GenerateOptions>;
