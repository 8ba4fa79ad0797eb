// What pruning tells while it runs, and what it returns.
import type { PruneOptions } from "../options/prune.ts";
import type { CalibrationSummary, Change, PreparationEvent, Quality, Sparsity } from "./common.ts";

/** A dry run ends after "plan"; any other run ends with "done". */
export type PruneEvent =
  | ({ readonly type: "plan" } & PrunePlan)
  | PreparationEvent
  | ({ readonly type: "layer" } & LayerProgress)
  | SplitEvent
  | { readonly type: "trial"; readonly trial: Trial }
  | { readonly type: "done"; readonly result: PruneResult };

export interface SplitEvent {
  readonly type: "split";
  readonly split: SplitTrial;
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

/** One way to share a cut between whole layers and neurons, tried on a part of the text. */
export interface SplitTrial {
  /** As asked for. */
  readonly sparsity: number;
  /** What goes of the parameters that count, at least as much as asked for. */
  readonly reached: number;
  /** Layers that stay, and neurons that each of them keeps. */
  readonly layers: number;
  readonly intermediateSize: number;
  /** Nats per token, on calibration windows that the trial was not fitted to. */
  readonly klDivergence: number;
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
  /** With equal widths by loss: how many times the KL divergence widths of each layer's own would have, predicted likewise. */
  readonly ownCostRatio?: number;
  /** What a limit of quality made the run try first. */
  readonly trials?: readonly Trial[];
  /** What equal widths made it try. */
  readonly splits?: readonly SplitTrial[];
  readonly seconds: number;
  readonly peakBytes: number;
}
