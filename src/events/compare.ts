// What comparing methods tells, cell by cell.
import type { DeviceName } from "../options/common.ts";
import type { CompareOptions } from "../options/compare.ts";
import type { DtypeName } from "../options/dtypes.ts";
import type { PresetName } from "../options/presets.ts";
import type { ModelSize, Sparsity, StageEvent, WarningEvent } from "./common.ts";
import type { EvalResult, TaskFigures } from "./model.ts";

/** One method at one size, on its way. */
export interface ComparedCell {
  readonly preset: PresetName;
  /** As asked. */
  readonly sparsity: number;
}

/** What a row is about: a method at one size, the dense model in a type, or another model by its path. */
export type ComparedSubject = ComparedCell | { readonly quantized: DtypeName } | { readonly against: string };

/** What was asked of every model beside the texts. */
interface Answers {
  /** By the names of lm-evaluation-harness; absent where no tasks were asked for. */
  readonly tasks?: Readonly<Record<string, TaskFigures>>;
}

/** What became of a method at one size. */
export interface CellResult extends ComparedCell, ModelSize, Answers {
  /** The type that it was judged in, `bytes` being those of the GGUF file then; absent where it was judged as pruned. */
  readonly dtype?: DtypeName;
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
  readonly dtype?: DtypeName;
  readonly failure: string;
}

/** The dense model in a type, quantized without importance. */
export interface QuantizedResult extends Answers {
  readonly quantized: DtypeName;
  /** Of the GGUF file. */
  readonly bytes: number;
  readonly texts: readonly JudgedText[];
}

/** Another model, judged on the same stretch of each text in tokens of its own. */
export interface OtherResult extends ModelSize, Answers {
  readonly against: string;
  readonly texts: readonly JudgedText[];
}

export interface Comparison {
  readonly comp: string;
  readonly model: string;
  readonly fingerprint: string;
  readonly options: CompareOptions;
  /** What judged. */
  readonly device: DeviceName;
  /** Of the processor. */
  readonly cores: number;
  /** Names of the calibration texts; none: the model's own text, or a bundled mix. */
  readonly calibration: readonly string[];
  readonly dense: ModelSize & Answers;
  /** Those that are finished, of each kind. */
  readonly quantized: readonly QuantizedResult[];
  readonly against: readonly OtherResult[];
  readonly cells: readonly (CellResult | CellFailure)[];
}

/** Stages belong to the cell named last; a cell of a preset gives a row for each type that it is judged in. */
export type CompareEvent =
  | StageEvent
  | WarningEvent
  | ({ readonly type: "cell"; readonly number: number; readonly total: number } & ComparedSubject)
  | { readonly type: "result"; readonly comparison: Comparison; readonly reused: boolean }
  | { readonly type: "done"; readonly comparison: Comparison };
