// What every sweep over the layers of a model shares, and what backward sweeps have to find for it.
import { cutsHeads } from "../allocation/heads.ts";
import type { CalibrationSummary } from "../events/common.ts";
import type { LayerRunner } from "../forward/run/layer-runner.ts";
import type { Scratch } from "../forward/run/scratch.ts";
import type { SweepHost } from "../host.ts";
import type { Criterion } from "../importance/criterion.ts";
import type { Gemm } from "../linalg/gemm.ts";
import type { Model } from "../model/model.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import type { PruneOptions } from "../options/prune.ts";
import { recoveries } from "../recover/index.ts";
import { cutsAttention } from "./presets.ts";

export interface Sweep {
  readonly runner: LayerRunner;
  readonly model: Model;
  readonly calibration: {
    readonly summary: CalibrationSummary;
    readonly windows: TokenWindows;
    readonly heldOut: TokenWindows;
  };
  readonly options: PruneOptions;
  readonly criterion: Criterion;
  /** Whether a recovery may choose its ridge where text is scarce: not worth its time in a trial that ranks splits. */
  readonly choosesRidge: boolean;
  readonly host: SweepHost;
  readonly gemm: Gemm;
  readonly scratch: Scratch;
}

/** Whether the allocation decides about heads and whole parts, because neither the options nor the preset do. */
export const allocatesHeads = (options: PruneOptions): boolean =>
  options.allocation === "loss" && cutsAttention(options) && !cutsHeads(options);

/** Whether the recovery aims at the dense model's hidden states. */
export const aimsAtDense = ({ options }: Pick<Sweep, "options">): boolean =>
  recoveries[options.recovery].towardsDense === true;

/** Whether trials decide how many layers go beyond those that have to: the loss tells which, and one width all the rest. */
export const searchesSplit = ({ criterion, options }: Pick<Sweep, "criterion" | "options">): boolean =>
  options.layers === "auto" && options.allocation === "even" && criterion.needsLossCovariance === true;

/** Whether tokens count by their scale (forward/token-scale.ts); what a bias makes up for is the mean of all alike. */
export const scalesTokens = (sweep: Pick<Sweep, "model" | "criterion" | "options">): boolean =>
  sweep.model.spec.sandwichNorms && needsLossCovariance(sweep) && sweep.options.recovery !== "bias";

/** Whether the backward sweep has to look at o_proj too. */
export const weighsHeads = (sweep: Pick<Sweep, "model" | "options">): boolean =>
  cutsHeads(sweep.options) || allocatesHeads(sweep.options) || aimsAtDense(sweep);

/** Whether what the loss feels decides about what goes, or about what is made up for. */
export const needsLossCovariance = (sweep: Pick<Sweep, "criterion" | "options">): boolean =>
  sweep.criterion.needsLossCovariance === true || aimsAtDense(sweep);
