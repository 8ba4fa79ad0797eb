// What measuring a model tells.
import type { StageEvent } from "./common.ts";

export type EvalEvent = StageEvent | { readonly type: "done"; readonly result: EvalResult };

/** Quality of a model on a text; what compares it with a dense model is absent when none was given. */
export interface EvalResult {
  readonly model: string;
  readonly text: string; // name of the text
  readonly perplexity: number;
  /** Targets: every token of a window but its first. */
  readonly tokens: number;
  readonly windows: number;
  readonly context: number;
  readonly densePerplexity?: number;
  /** Mean KL(dense ‖ pruned), nats per target. */
  readonly klDivergence?: number;
  /** Fraction of targets for which both models rank the same token first. */
  readonly topOneAgreement?: number;
  readonly seconds: number;
}
