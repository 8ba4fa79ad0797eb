// A method with nothing left open: what is removed, by what it is chosen, and how the rest makes up for it.
import type { Criterion } from "../importance/criterion.ts";
import type { ExpertCriterion } from "../importance/experts/expert-criterion.ts";
import type { Biases } from "../model/spec/decoder-spec.ts";
import type { LayerIndex } from "../model/spec/layer-index.ts";
import type { SettledOptions } from "../options/prune.ts";
import type { Recovery } from "../recover/recovery.ts";

export interface Method {
  readonly goal: Goal;
  /** Which parameters a sparsity counts: all, or the matrices of the decoder layers. */
  readonly sparsityOf: "all" | "decoder";
  /** Coarse stage: whole layers. */
  readonly layers: LayerRule;
  /** How the layers are ranked where calibration decides which go. */
  readonly layerImportance: "block-influence" | "ablation";
  /** Heads that every layer gives up alike, before any neuron goes. */
  readonly heads: HeadRule;
  /** Whole experts that every mixture gives up alike, before any neuron goes. */
  readonly experts: ExpertRule;
  /** What decides which experts. */
  readonly expertCriterion: ExpertCriterion;
  /** Whether those that stay are refitted to what is missing. */
  readonly refitsExperts: boolean;
  /** Fine stage: how what is still to go is shared between the layers. */
  readonly allocation: Allocation;
  /** Whether all kept layers come out with one width. */
  readonly widths: "equal" | "per-layer";
  /** How many of the first and of the last layers keep all that they have. */
  readonly protectedLayers: readonly number[];
  /** The kept width is a multiple of this; undefined: of 32 where that still reaches the sparsity, else of 1. */
  readonly multipleOf: number | undefined;
  /** Elements of a block of the type in which down_proj is written: kept widths are multiples of it where that costs nothing. */
  readonly blockSize: number;
  readonly criterion: Criterion;
  readonly recovery: Recovery;
  readonly ridge: number;
  /** Whether a recovery may choose its ridge where text is scarce; not worth its time in a trial that ranks splits. */
  readonly choosesRidge: boolean;
  /** Biases of the pruned model, where anything is cut. */
  readonly biases: Biases;
  /** What backward sweeps over the dense model have to find. */
  readonly backward: BackwardNeeds;
  /** Whether tokens are weighted by the scale of what a projection with a norm behind it writes. */
  readonly tokenScale: boolean;
  /** The matrices of which the moments of the inputs weigh errors of rounding: those where they are summed anyway, or all. */
  readonly importance: "none" | "summed" | "all";
  readonly calibration: CalibrationChoice;
  readonly seed: number;
}

/** How much goes: a fraction of the parameters, or as much as a limit of quality allows. */
export type Goal =
  | { readonly kind: "sparsity"; readonly sparsity: number }
  | ({ readonly kind: "quality"; readonly most: number } & QualityLimits);

/** Limits on held-out windows; at least one is given. */
export interface QualityLimits {
  /** KL(dense ‖ pruned), nats per token. */
  readonly maxKl: number | undefined;
  /** 0.15: at most 15 % more than the dense model's. */
  readonly maxPerplexityIncrease: number | undefined;
}

/**
 * Which whole layers go. `fewest`: as few as leave the others a width worth having; `half`: for at most half of what is to go;
 * `only`: for all of it; `search`: trials decide how many go beyond the fewest.
 */
export type LayerRule =
  | { readonly kind: "none" }
  | { readonly kind: "list"; readonly removed: readonly LayerIndex[] }
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "fewest" | "half" | "only" | "search" };

/** Heads by number, or in the same proportion as everything else; `search`: trials decide, as they do about experts. */
export type HeadRule =
  | { readonly kind: "none" }
  | ({ readonly kind: "count" } & HeadCount)
  | { readonly kind: "proportional" | "search" };

/** Heads that a layer gives up. */
export interface HeadCount {
  /** Whole key-value groups. */
  readonly kvGroups: number;
  /** Query heads of each group that is left. */
  readonly heads: number;
}

/** Experts by number; `only`: as many as what is to go takes; `search`: trials decide what they give and what all else. */
export type ExpertRule =
  | { readonly kind: "none" }
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "only" | "search" };

/** The same from every layer; what costs the loss least, of neurons or of heads and whole parts too; the lowest of all scores. */
export type Allocation =
  | { readonly kind: "even" }
  | { readonly kind: "loss"; readonly of: "neurons" | "all" }
  | { readonly kind: "global" };

export interface BackwardNeeds {
  /** The sublayers whose Fisher factor is needed. */
  readonly fisherFactors: "none" | "mlp" | "both";
  /** The sublayers of which weights have to be looked at to first order. */
  readonly weightSensitivity: "none" | "mlp" | "both";
}

/** How much of which text the statistics are gathered on. */
export type CalibrationChoice = Pick<SettledOptions, "calibration" | "samples" | "context" | "seed" | "ownText">;
