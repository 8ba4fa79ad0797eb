// Options that several tasks have.
import * as z from "zod";
import { devices } from "../compute/device.ts";
import { namesOf } from "./schema.ts";

export type { DeviceName } from "../compute/device.ts";

export const threads = z
  .int()
  .min(1)
  .max(1024)
  .optional()
  .describe("arithmetic threads")
  .meta({ fallback: "all cores" });
/** "auto": a graphics processor where a short measurement finds it clearly faster than the processor. */
export const device = z
  .enum(["auto", ...namesOf(devices)])
  .default("auto")
  .describe("what computes; auto: a graphics processor where it is clearly faster");
export const seed = z.int().min(0).max(4294967295).default(0).describe("makes every random choice repeatable");

/** A flag of the commands that look at a model before they prune it. */
export const noCache = z
  .boolean()
  .default(false)
  .describe("do without what earlier runs have found out about the model");

/** "20%", "2.5 %", ".5%" */
const PERCENTAGE = /^(\d+\.?\d*|\.\d+) ?%$/;

/**
 * A fraction: a number between `min` and `max`, or a percentage as text. A number beyond `max` is refused, since 20 would be
 * meant as 20 %; `most` is for fractions that may exceed 1, which only a percentage says beyond doubt.
 */
export const fraction = (min: number, max: number, most: number = max) =>
  z
    .union([
      z.number().min(min).max(max),
      z
        .string()
        .regex(PERCENTAGE)
        .transform((text) => Number(`${Number.parseFloat(text)}e-2`)) // 14.1 / 100 is not 0.141
        .pipe(z.number().min(min).max(most)),
    ])
    .meta({ expected: `between ${min} and ${max}`, percentage: true });
