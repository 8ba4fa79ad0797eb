// Size against quality, point by point.
import type { CalibrationSummary, ModelSize, PreparationEvent, Quality, Sparsity } from "./common.ts";
import type { RecordedOptions, SplitEvent } from "./prune.ts";

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
  | SplitEvent
  | { readonly type: "point"; readonly point: CurvePoint }
  | { readonly type: "done"; readonly curve: Curve };
