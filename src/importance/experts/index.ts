// The criteria for whole experts by name. A row here is all that the flags, the help and the types know of a criterion's name.
import type { ExpertCriterion } from "./expert-criterion.ts";
import { reroute } from "./reroute.ts";
import { ean, frequency, man, msan, reap } from "./routed-scores.ts";

export const expertCriteria = {
  reroute,
  frequency,
  ean,
  reap,
  man,
  msan,
} satisfies Record<string, ExpertCriterion>;

export type ExpertCriterionName = keyof typeof expertCriteria;
