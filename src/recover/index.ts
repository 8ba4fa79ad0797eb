// The recoveries by name. A row here is all that the flags, the help and the types know of a recovery's name.
import { bias } from "./bias.ts";
import { denseTarget } from "./dense-target.ts";
import { leastSquares } from "./least-squares.ts";
import { mask } from "./mask.ts";
import { none } from "./none.ts";
import type { Recovery } from "./recovery.ts";

export const recoveries = {
  none,
  mask,
  "least-squares": leastSquares,
  "dense-target": denseTarget,
  bias,
} satisfies Record<string, Recovery>;

export type RecoveryName = keyof typeof recoveries;
