// What all tasks tell. Plain data: every surface (terminal, JSON lines, reports) renders these and nothing else.

/** A figure before and after pruning. */
export interface BeforeAfter {
  readonly before: number;
  readonly after: number;
}

/** The fraction removed, counted both ways. */
export interface Sparsity {
  readonly all: number;
  readonly decoder: number;
}

/** Of a whole checkpoint. */
export interface ModelSize {
  readonly parameters: number;
  readonly decoderParameters: number;
  readonly bytes: number;
}

/** What the statistics were gathered on. */
export interface CalibrationSummary {
  readonly source: "file" | "self-generated" | "bundled";
  /** Names of the texts. */
  readonly names: readonly string[];
  readonly windows: number;
  /** How many of the windows the model has written itself. */
  readonly ownWindows: number;
  readonly context: number; // tokens in a window
  readonly tokens: number;
  /** A sketch of the passages of the texts, by which a text that shares them is recognised; absent where there is none. */
  readonly passages?: string;
}

export type StageName =
  | "generate"
  | "gradient"
  | "ablation"
  | "layer-importance"
  | "neuron-importance"
  | "dense-sums"
  | "trial"
  | "prune"
  | "write"
  | "verify"
  | "evaluate"
  | "bench";

/** Progress inside one stage, in the stage's own steps (layers, windows, tensors, tokens). */
export interface StageEvent {
  readonly type: "stage";
  readonly name: StageName;
  readonly done: number;
  readonly total: number;
}

/** What one should know of the result, though nothing is in its way. */
export interface WarningEvent {
  readonly type: "warning";
  readonly message: string;
}

/** What is told of every work on calibration text. */
export type PreparationEvent = ({ readonly type: "calibration" } & CalibrationSummary) | StageEvent | WarningEvent;

/** Dense and pruned model on windows that took no part in calibration. */
export interface Quality {
  readonly on: "held-out calibration windows";
  readonly tokens: number;
  readonly perplexity: BeforeAfter;
  /** Mean KL(dense ‖ pruned), nats per token. */
  readonly klDivergence: number;
  /** Fraction of tokens for which both models rank the same token first. */
  readonly topOneAgreement: number;
}
