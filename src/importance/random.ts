// By lot: the floor for every other criterion.
import { removeLowest } from "./by-score.ts";
import type { Criterion } from "./criterion.ts";

/** Neurons by lot; the floor below which no criterion should fall. */
export const random: Criterion = {
  name: "random",
  description: "by lot, from --seed (baseline)",
  oneShot: true,
  rank: async ({ intermediateSize }, _, count, context) =>
    removeLowest(
      Float64Array.from({ length: intermediateSize }, () => context.random()),
      count,
    ),
};
