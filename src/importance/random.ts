// By lot: the floor for every other criterion.
import { pooledCosts } from "./block-costs.ts";
import { removeLowest } from "./by-score.ts";
import type { Criterion, CriterionContext, OutputMatrix } from "./criterion.ts";

const scores = ({ intermediateSize }: OutputMatrix, context: CriterionContext): Float64Array =>
  Float64Array.from({ length: intermediateSize }, () => context.random());

/** Neurons by lot; the floor below which no criterion should fall. */
export const random: Criterion = {
  name: "random",
  description: "by lot, from --seed (baseline)",
  oneShot: true,
  rank: async (mlp, _, count, context) => removeLowest(scores(mlp, context), count),
  blockCosts: async (output, _, __, context) => pooledCosts(scores(output, context)),
};
