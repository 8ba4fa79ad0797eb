// Paths on the command line: the flag for texts to calibrate on, and the place of a result that was given none.
import { resolve } from "node:path";
import * as z from "zod";

/** What files of text may be, for the help. */
export const TEXT_FORMATS = "text, JSON Lines, CSV or Parquet";

/** The flag of the commands that calibrate. */
export const CALIBRATION_FILES: z.ZodType<string[], string[] | undefined> = z
  .array(z.string())
  .default([])
  .describe(`${TEXT_FORMATS} to calibrate on, repeatable`)
  .meta({ value: "FILE", fallback: "the model's own text, or a bundled mix" });

/** The flag for texts whose tokens stay. */
export const VOCABULARY_FILES: z.ZodType<string[], string[] | undefined> = z
  .array(z.string())
  .default([])
  .describe(`${TEXT_FORMATS} whose tokens stay, all others go; repeatable`)
  .meta({ value: "FILE", fallback: "all tokens stay" });

/** The flag of the commands that ask tasks. */
export const TASK_DATA: z.ZodType<string | undefined> = z
  .string()
  .optional()
  .describe("the data of the tasks, as published")
  .meta({ value: "FOLDER" });

/** Beside the model: ./SmolLM2 → SmolLM2-pruned, model.gguf → model-pruned. */
export const besideModel = (model: string, suffix: "pruned" | "compare" | "fit"): string =>
  `${resolve(model).replace(/\.gguf$/i, "")}-${suffix}`;
