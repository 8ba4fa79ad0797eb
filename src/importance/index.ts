// The criteria by name.
import { condition } from "./condition.ts";
import type { Criterion } from "./criterion.ts";
import { loss } from "./loss.ts";
import { magnitude } from "./magnitude.ts";
import { obs } from "./obs.ts";
import { random } from "./random.ts";
import { wanda } from "./wanda.ts";

export type CriterionName = "loss" | "condition" | "obs" | "wanda" | "magnitude" | "random";

export const criteria: Readonly<Record<CriterionName, Criterion>> = { loss, condition, obs, wanda, magnitude, random };
