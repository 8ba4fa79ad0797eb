// What comparing methods tells, cell by cell.
import type { CompareOptions } from "../options/compare.ts";
import type { PresetName } from "../options/presets.ts";
import type { ModelSize, Sparsity, StageEvent, WarningEvent } from "./common.ts";
import type { EvalResult } from "./model.ts";

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
  | WarningEvent
  | ({ readonly type: "cell"; readonly number: number; readonly total: number } & ComparedCell)
  | { readonly type: "result"; readonly comparison: Comparison; readonly reused: boolean }
  | { readonly type: "done"; readonly comparison: Comparison };
