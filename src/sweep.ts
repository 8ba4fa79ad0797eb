// What every sweep over the layers of a model shares, and what backward sweeps have to find for it.
import { cutsHeads } from "./allocation/heads.ts";
import type { CalibrationSummary } from "./events.ts";
import type { LayerRunner } from "./forward/layer-runner.ts";
import type { Scratch } from "./forward/scratch.ts";
import type { SweepHost } from "./host.ts";
import type { Criterion } from "./importance/criterion.ts";
import type { Gemm } from "./linalg/gemm.ts";
import type { Model } from "./model/model.ts";
import type { TokenWindows } from "./model/token-windows.ts";
import type { PruneOptions } from "./options.ts";
import { cutsAttention } from "./presets.ts";
import { recoveries } from "./recover/index.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";

export interface Sweep {
  readonly runner: LayerRunner;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly calibration: {
    readonly summary: CalibrationSummary;
    readonly windows: TokenWindows;
    readonly heldOut: TokenWindows;
  };
  readonly options: PruneOptions;
  readonly criterion: Criterion;
  readonly host: SweepHost;
  readonly gemm: Gemm;
  readonly scratch: Scratch;
}

/** Whether the allocation decides about heads and whole parts, because neither the options nor the preset do. */
export const allocatesHeads = (options: PruneOptions): boolean =>
  options.allocation === "loss" && cutsAttention(options) && !cutsHeads(options);

/** Whether the backward sweep has to look at o_proj too. */
export const weighsHeads = (options: PruneOptions): boolean =>
  cutsHeads(options) || allocatesHeads(options) || recoveries[options.recovery].towardsDense === true;

/** Whether what the loss feels decides about what goes, or about what is made up for. */
export const needsLossCovariance = ({ criterion, options }: Pick<Sweep, "criterion" | "options">): boolean =>
  criterion.needsLossCovariance === true || recoveries[options.recovery].towardsDense === true;
