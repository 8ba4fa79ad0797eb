// The criteria by name.
import { condition } from "./condition.ts";
import type { Criterion } from "./criterion.ts";
import { fluctuation } from "./fluctuation.ts";
import { loss } from "./loss.ts";
import { magnitude } from "./magnitude.ts";
import { obs } from "./obs.ts";
import { random } from "./random.ts";
import { taylor } from "./taylor.ts";
import { wanda } from "./wanda.ts";

export type CriterionName = "loss" | "obs" | "condition" | "wanda" | "fluctuation" | "taylor" | "magnitude" | "random";

export const criteria: Readonly<Record<CriterionName, Criterion>> = {
  loss,
  obs,
  condition,
  wanda,
  fluctuation,
  taylor,
  magnitude,
  random,
};
