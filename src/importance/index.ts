// The criteria by name. A row here is all that the flags, the help and the types know of a criterion's name.
import { condition } from "./condition.ts";
import type { Criterion } from "./criterion.ts";
import { fluctuation } from "./fluctuation.ts";
import { magnitude } from "./magnitude.ts";
import { loss, obs } from "./obs.ts";
import { random } from "./random.ts";
import { taylor } from "./taylor.ts";
import { wanda } from "./wanda.ts";

export const criteria = {
  loss,
  obs,
  condition,
  wanda,
  fluctuation,
  taylor,
  magnitude,
  random,
} satisfies Record<string, Criterion>;

export type CriterionName = keyof typeof criteria;

/** The name of a criterion in the table; undefined for one of one's own. */
export const criterionName = (criterion: Criterion): string | undefined =>
  Object.entries<Criterion>(criteria).find(([, row]) => row === criterion)?.[0];
