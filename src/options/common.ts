// Options that several tasks have.
import * as z from "zod";

export const threads: z.ZodType<number | undefined> = z
  .int()
  .min(1)
  .max(1024)
  .optional()
  .describe("arithmetic threads")
  .meta({ fallback: "all cores" });
export const seed: z.ZodType<number> = z
  .int()
  .min(0)
  .max(4294967295)
  .default(0)
  .describe("makes every random choice repeatable");
