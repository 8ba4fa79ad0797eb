// How to measure how fast a model runs.
import * as z from "zod";
import { threads } from "./common.ts";

/** How to measure the speed of two models. */
export const BenchOptions = z.strictObject({
  promptTokens: z.int().min(1).max(131072).default(256).describe("tokens of the prompt, read at once"),
  tokens: z.int().min(1).max(131072).default(64).describe("tokens generated after it, one at a time"),
  repetitions: z.int().min(1).max(1000).default(5).describe("times that each model is measured, in turn"),
  threads,
});

export type BenchOptions = z.output<typeof BenchOptions>;
