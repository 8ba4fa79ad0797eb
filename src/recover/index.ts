// The recoveries by name.
import { bias } from "./bias.ts";
import { denseTarget } from "./dense-target.ts";
import { leastSquares } from "./least-squares.ts";
import { mask } from "./mask.ts";
import { none } from "./none.ts";
import type { Recovery } from "./recovery.ts";

export type RecoveryName = "none" | "mask" | "least-squares" | "dense-target" | "bias";

export const recoveries: Readonly<Record<RecoveryName, Recovery>> = {
  none,
  mask,
  "least-squares": leastSquares,
  "dense-target": denseTarget,
  bias,
};
