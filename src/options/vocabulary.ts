// Which tokens stay.
import * as z from "zod";
import { fraction } from "./common.ts";

export const vocabularySize = z
  .union([z.literal("auto"), z.int().min(1).max(16777216), fraction(0, 0.9999)])
  .optional()
  .describe("keep at most so many tokens, the most used first; auto: as held-out text needs to grow by at most 1 %")
  .meta({ value: "N|SHARE|auto", expected: "auto, a number of tokens, or a share such as 50%", fallback: "all used" });

/** A number of tokens, or below 1 a share of the vocabulary. */
export type VocabularySize = number | "auto";
