// By lot: the floor for every other criterion.
import type { Criterion } from "./criterion.ts";
import { byScore } from "./one-shot.ts";

/** Inputs by lot; the floor below which no criterion should fall. */
export const random: Criterion = byScore(({ inputSize }, _, context) =>
  Float64Array.from({ length: inputSize }, () => context.random()),
);
