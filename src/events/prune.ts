// What pruning tells while it runs, and what it returns: at one size, or at several along a curve, of which nothing is written.
import type { DeviceName } from "../options/common.ts";
import type { DtypeName } from "../options/dtypes.ts";
import type { RecordedOptions } from "../options/prune.ts";
import type { BeforeAfter, CalibrationSummary, ModelSize, PreparationEvent, Quality, Sparsity } from "./common.ts";
import type { ProbeFigures } from "./model.ts";
import type { VocabularyResult } from "./vocabulary.ts";

/** A dry run ends after "plan"; any other run ends with "done". */
export type PruneEvent =
  | ({ readonly type: "plan" } & PrunePlan)
  | RunEvent
  | ({ readonly type: "resume" } & Resumption)
  | { readonly type: "done"; readonly result: PruneResult };

/** What the steps of a run tell. */
export type RunEvent =
  | PreparationEvent
  | ({ readonly type: "layer" } & LayerProgress)
  | SplitEvent
  | { readonly type: "trial"; readonly trial: Trial };

/** A run goes on where one like it was killed. */
export interface Resumption {
  /** Layers of the source that are finished, of all. */
  readonly done: number;
  readonly total: number;
}

export interface SplitEvent {
  readonly type: "split";
  readonly split: SplitTrial;
}

/** What will be cut and what it will cost, known from the headers alone. */
export interface PrunePlan {
  readonly model: string;
  /** `model_type` of config.json. */
  readonly family: string;
  readonly parameters: BeforeAfter;
  readonly decoderParameters: BeforeAfter;
  /** Bytes of all weights in the files. */
  readonly bytes: BeforeAfter;
  readonly layers: BeforeAfter;
  /** Indices in the source model; empty while `layers.after` is smaller means that calibration decides which. */
  readonly layersRemoved: readonly number[];
  /** Whether trials may let more layers go, and leave the others wider; figures of the plan are those without. */
  readonly searchesSplit: boolean;
  /** Likewise whether trials may let experts go; figures of the plan are those of neurons alone. */
  readonly searchesExperts?: boolean;
  /** Neurons of the MLP in each kept layer; their mean where `widths` is "per-layer". */
  readonly intermediateSize: BeforeAfter;
  /** Query heads and key-value heads of each kept layer, likewise. */
  readonly numAttentionHeads: BeforeAfter;
  readonly numKeyValueHeads: BeforeAfter;
  /** Experts of each mixture; absent where the model has none. */
  readonly numExperts?: BeforeAfter | undefined;
  readonly widths: "equal" | "per-layer";
  /** Fractions that the plan removes. */
  readonly sparsity: Sparsity;
  /** Which tokens go, where texts say what is to stay. */
  readonly vocabulary?: VocabularyResult;
  readonly expectedPeakBytes: number;
}

/** One decoder layer is finished. */
export interface LayerProgress {
  /** Index in the source model. */
  readonly index: number;
  readonly keptNeurons: number;
  readonly totalNeurons: number;
  /** Experts of a mixture; absent where the layer is none. */
  readonly keptExperts?: number | undefined;
  readonly totalExperts?: number | undefined;
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
  /** Kept experts, sorted indices into the source layer's mixture; absent where it is none. */
  readonly experts?: readonly number[] | undefined;
  /** Kept query heads and key-value heads, sorted indices into the source layer's. */
  readonly heads: readonly number[];
  readonly keyValueHeads: readonly number[];
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

/** One way to share a cut between whole layers, whole experts, heads and neurons, tried on a part of the text. */
export interface SplitTrial {
  /** As asked for. */
  readonly sparsity: number;
  /** What goes of the parameters that count, at least as much as asked for. */
  readonly reached: number;
  /** Layers that stay, and neurons that each of them keeps. */
  readonly layers: number;
  readonly intermediateSize: number;
  /** Experts that each mixture keeps, where the model has any. */
  readonly experts?: number;
  /** Query heads that each layer keeps, where trials decide about these too. */
  readonly heads?: number;
  /** Nats per token, on calibration windows that the trial was not fitted to. */
  readonly klDivergence: number;
}

/** What a run has written. */
export type PruneResult = MeasuredResult | CopyResult;

/** Of a model that was cut, and what that did to it. */
export interface MeasuredResult extends WrittenModel {
  readonly calibration: CalibrationSummary;
  readonly quality: Quality;
  /** Absent where they were not asked for. */
  readonly probes?: ProbeOutcome;
}

/** What perplexity hides, of the dense model and of what was written; or why that was not measured. */
export type ProbeOutcome = ProbeComparison | { readonly skipped: string };

export interface ProbeComparison {
  /** Of each probe. */
  readonly questions: number;
  readonly before: ProbeFigures;
  readonly after: ProbeFigures;
}

/** Of a model of which nothing but tokens was removed: it is the source's, in the type that it was written as, and nothing was measured. */
export interface CopyResult extends WrittenModel {
  readonly calibration?: undefined;
  readonly quality?: undefined;
  readonly probes?: undefined;
}

interface WrittenModel {
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
  /** Indices in the source model. */
  readonly layersRemoved: readonly number[];
  readonly layers: readonly LayerResult[];
  readonly parameters: BeforeAfter;
  readonly decoderParameters: BeforeAfter;
  readonly bytes: BeforeAfter;
  readonly intermediateSize: BeforeAfter;
  readonly numAttentionHeads: BeforeAfter;
  readonly numKeyValueHeads: BeforeAfter;
  /** Absent where the model has no mixtures. */
  readonly numExperts?: BeforeAfter | undefined;
  readonly sparsity: Sparsity;
  /** Which tokens have gone, and what that costs; where they have, all else is told of the tokens that stay. */
  readonly vocabulary?: VocabularyResult;
  /** With widths by loss: how many times the KL divergence equal widths would have, predicted from the costs. */
  readonly equalCostRatio?: number;
  /** With equal widths by loss: how many times the KL divergence widths of each layer's own would have, predicted likewise. */
  readonly ownCostRatio?: number;
  /** What a limit of quality made the run try first. */
  readonly trials?: readonly Trial[];
  /** What equal widths made it try. */
  readonly splits?: readonly SplitTrial[];
  /** What computed. */
  readonly device: DeviceName;
  /** Of the processor. */
  readonly cores: number;
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

/** The dense model in a type, quantized without importance. */
export interface QuantizedPoint {
  readonly quantized: DtypeName;
  /** Of the GGUF file. */
  readonly bytes: number;
  readonly quality: Quality;
}

/** Size against quality. */
export interface Curve {
  readonly comp: string;
  readonly model: string;
  readonly dense: ModelSize;
  readonly options: Omit<RecordedOptions, "sparsity">;
  /** What computed. */
  readonly device: DeviceName;
  /** Of the processor. */
  readonly cores: number;
  readonly calibration: CalibrationSummary;
  readonly points: readonly CurvePoint[];
  readonly quantized: readonly QuantizedPoint[];
}

export type CurveEvent =
  | RunEvent
  | { readonly type: "point"; readonly point: CurvePoint }
  | { readonly type: "quantized"; readonly point: QuantizedPoint }
  | { readonly type: "done"; readonly curve: Curve };
