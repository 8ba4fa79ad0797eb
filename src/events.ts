// What pruning tells while it runs, and what it returns. Plain data: every surface (terminal, JSON lines, reports)
// renders these and nothing else.
import type { CompareOptions, PresetName, PruneOptions } from "./options.ts";

/** A dry run ends after "plan"; any other run ends with "done". */
export type PruneEvent =
  | ({ readonly type: "plan" } & PrunePlan)
  | PreparationEvent
  | ({ readonly type: "layer" } & LayerProgress)
  | { readonly type: "trial"; readonly trial: Trial }
  | { readonly type: "done"; readonly result: PruneResult };

/** What is told of every work on calibration text. */
export type PreparationEvent =
  | ({ readonly type: "calibration" } & CalibrationSummary)
  | StageEvent
  | { readonly type: "warning"; readonly message: string };

/** A count before and after pruning. */
export interface Change {
  readonly before: number;
  readonly after: number;
}

/** What will be cut and what it will cost, known from the headers alone. */
export interface PrunePlan {
  readonly model: string;
  /** `model_type` of config.json. */
  readonly family: string;
  readonly parameters: Change;
  readonly decoderParameters: Change;
  /** Bytes of all weights in the files. */
  readonly bytes: Change;
  readonly layers: Change;
  /** Indices in the source model; empty while `layers.after` is smaller means that calibration decides which. */
  readonly layersRemoved: readonly number[];
  /** Whether trials may let more layers go, and leave the others wider; figures of the plan are those without. */
  readonly searchesSplit: boolean;
  /** Neurons of the MLP in each kept layer; their mean where `widths` is "per-layer". */
  readonly intermediateSize: Change;
  /** Query heads and key-value heads of each kept layer, likewise. */
  readonly numAttentionHeads: Change;
  readonly numKeyValueHeads: Change;
  readonly widths: PruneOptions["widths"];
  /** Fractions that the plan removes. */
  readonly sparsity: Sparsity;
  readonly expectedPeakBytes: number;
  readonly expectedSeconds: number;
}

/** The fraction removed, counted both ways. */
export interface Sparsity {
  readonly all: number;
  readonly decoder: number;
}

/** What the statistics were gathered on. */
export interface CalibrationSummary {
  readonly source: "file" | "self-generated" | "bundled";
  /** Names of the texts. */
  readonly names: readonly string[];
  readonly windows: number;
  readonly context: number; // tokens in a window
  readonly tokens: number;
}

export type StageName =
  | "generate"
  | "calibration"
  | "gradient"
  | "fork"
  | "layer-importance"
  | "neuron-importance"
  | "prune"
  | "write"
  | "verify"
  | "evaluate";

/** Progress inside one stage, in the stage's own steps (layers, windows, tensors, tokens). */
export interface StageEvent {
  readonly type: "stage";
  readonly name: StageName;
  readonly done: number;
  readonly total: number;
}

/** One decoder layer is finished. */
export interface LayerProgress {
  /** Index in the source model. */
  readonly index: number;
  readonly keptNeurons: number;
  readonly totalNeurons: number;
  /** Query heads. */
  readonly keptHeads: number;
  readonly totalHeads: number;
  /** ‖Y − Ŷ‖ / ‖Y‖ of the MLP's output on the calibration tokens, cut only. */
  readonly errorBefore: number;
  /** The same after recovery. */
  readonly errorAfter: number;
  readonly elapsedSeconds: number;
  readonly residentBytes: number;
}

export interface LayerResult extends LayerProgress {
  /** Kept neurons, sorted indices into the source layer's MLP. */
  readonly kept: readonly number[];
  /** Kept query heads and key-value heads, sorted indices into the source layer's. */
  readonly heads: readonly number[];
  readonly keyValueHeads: readonly number[];
}

/** Dense and pruned model on windows that took no part in calibration. */
export interface Quality {
  readonly on: "held-out calibration windows";
  readonly tokens: number;
  readonly perplexity: Change;
  /** Mean KL(dense ‖ pruned), nats per token. */
  readonly klDivergence: number;
  /** Fraction of tokens for which both models rank the same token first. */
  readonly topOneAgreement: number;
}

/** How good a model of some size would be, found by a sweep that writes nothing. */
export interface Trial {
  /** As asked for. */
  readonly sparsity: number;
  /** Of the whole model. */
  readonly parameters: number;
  readonly quality: Quality;
  /** Whether the limits of quality hold. */
  readonly isWithin: boolean;
}

/** The options of a run without the calibration texts, whose names stand in the calibration summary. */
export type RecordedOptions = Omit<PruneOptions, "calibration">;

export interface PruneResult {
  /** Path or other name of the source. */
  readonly model: string;
  /** SHA-256 over the source's headers and sizes, hex. */
  readonly fingerprint: string;
  readonly family: string;
  /** Name of what was written. */
  readonly output: string;
  /** Names of the files written. */
  readonly files: readonly string[];
  readonly options: RecordedOptions;
  readonly calibration: CalibrationSummary;
  /** Indices in the source model. */
  readonly layersRemoved: readonly number[];
  readonly layers: readonly LayerResult[];
  readonly parameters: Change;
  readonly decoderParameters: Change;
  readonly bytes: Change;
  readonly intermediateSize: Change;
  readonly numAttentionHeads: Change;
  readonly numKeyValueHeads: Change;
  readonly sparsity: Sparsity;
  readonly quality: Quality;
  /** With widths by loss: how many times the KL divergence equal widths would have, predicted from the costs. */
  readonly equalCostRatio?: number;
  /** What a limit of quality made the run try first. */
  readonly trials?: readonly Trial[];
  readonly seconds: number;
  readonly peakBytes: number;
}

/** One size on the curve of a model. */
export type CurvePoint =
  | ({
      /** As asked. */
      readonly sparsity: number;
      /** Fractions really removed. */
      readonly reached: Sparsity;
      readonly quality: Quality;
    } & ModelSize)
  | { readonly sparsity: number; readonly failure: string };

export interface ModelSize {
  readonly parameters: number;
  readonly decoderParameters: number;
  readonly bytes: number;
}

/** Size against quality. */
export interface Curve {
  readonly comp: string;
  readonly model: string;
  readonly dense: ModelSize;
  readonly options: Omit<RecordedOptions, "sparsity">;
  readonly calibration: CalibrationSummary;
  readonly points: readonly CurvePoint[];
}

export type CurveEvent =
  | PreparationEvent
  | { readonly type: "point"; readonly point: CurvePoint }
  | { readonly type: "done"; readonly curve: Curve };

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

/** One method at one size, on its way. */
export interface ComparedCell {
  readonly preset: PresetName;
  /** As asked. */
  readonly sparsity: number;
}

/** What became of it. */
export interface CellResult extends ComparedCell, ModelSize {
  /** Fractions really removed. */
  readonly reached: Sparsity;
  /** Of pruning alone. */
  readonly seconds: number;
  readonly peakBytes: number;
  readonly texts: readonly JudgedText[];
}

/** The judgement of a model that may be gone by now. */
export type JudgedText = Omit<EvalResult, "model">;

/** Why there is nothing to judge. */
export interface CellFailure extends ComparedCell {
  readonly failure: string;
}

export interface Comparison {
  readonly comp: string;
  readonly model: string;
  readonly fingerprint: string;
  readonly options: CompareOptions;
  /** Names of the calibration texts; none: the model's own text, or a bundled mix. */
  readonly calibration: readonly string[];
  readonly dense: ModelSize;
  /** Those that are finished. */
  readonly cells: readonly (CellResult | CellFailure)[];
}

/** Stages belong to the cell named last. */
export type CompareEvent =
  | StageEvent
  | ({ readonly type: "cell"; readonly number: number; readonly total: number } & ComparedCell)
  | { readonly type: "result"; readonly comparison: Comparison; readonly reused: boolean }
  | { readonly type: "done"; readonly comparison: Comparison };

/** One generated token; `text` may be empty while a character is incomplete. */
export interface GeneratedToken {
  readonly id: number;
  readonly text: string;
}
