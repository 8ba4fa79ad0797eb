// What the search for the best model within a limit tells.
import type { PruneOptions } from "../options/prune.ts";
import type { PruneEvent, PruneResult } from "./prune.ts";

/** One way to meet the limit: a type, and as much pruning as it then takes. */
export interface FitMix {
  readonly dtype: PruneOptions["dtype"];
  /** Of all parameters; 0: nothing has to go. */
  readonly sparsity: number;
  /** What it takes of the nearest limit, as planned. */
  readonly bytes: number;
}

/** A way with what it costs. */
export interface JudgedMix extends FitMix {
  /** Nats per token: that of the type, measured, plus that of pruning by a cheaper method, measured at sizes around. */
  readonly klDivergence: number;
}

/** What was decided by the estimates. */
export interface FitChoice {
  readonly mix: JudgedMix;
  /** The best of those that prune nothing, for who would rather quantize alone; absent where none meets the limit. */
  readonly plain?: JudgedMix;
}

export interface Fit extends Pick<FitChoice, "plain"> {
  /** The best first, which was written. */
  readonly mixes: readonly JudgedMix[];
  readonly result: PruneResult;
}

export type FitEvent =
  | Exclude<PruneEvent, { type: "done" }>
  | { readonly type: "mix"; readonly mix: JudgedMix }
  | ({ readonly type: "chosen" } & FitChoice)
  | { readonly type: "done"; readonly fit: Fit };
