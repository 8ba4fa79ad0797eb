// What an importance criterion is: it ranks the inputs of one projection, neurons or the elements of heads, by what their
// removal costs.
import type { Gemm } from "../linalg/gemm.ts";
import type { OutputProjection, ProjectionStatistics } from "../linalg/projection.ts";
import type { BlockCosts } from "./block-costs.ts";

export interface Removal {
  /** Inputs in the order of their removal, the least important first. */
  readonly order: Int32Array;
  /** What each removal costs beyond those before it, in the criterion's own unit. */
  readonly costs: Float64Array;
}

export interface CriterionContext {
  readonly gemm: Gemm;
  /** Uniform in [0, 1), seeded by the caller. */
  readonly random: () => number;
}

export interface Criterion {
  /** Whether `statistics.fisherFactor` has to be there. */
  readonly needsFisherFactor?: boolean;
  /** Whether `statistics.weightSensitivity` has to be there. */
  readonly needsWeightSensitivity?: boolean;
  /** Whether the cost of an input does not depend on which others go: only then can all layers be ranked at once. */
  readonly oneShot?: boolean;
  /** The first `count` inputs to remove. @throws {CompError} "numeric" when weights or statistics are not finite */
  rank(
    projection: OutputProjection,
    statistics: ProjectionStatistics,
    count: number,
    context: CriterionContext,
  ): Promise<Removal>;
  /** What blocks of `blockSize` neighbouring inputs cost, for heads; absent where the criterion knows neurons only. */
  blockCosts?(
    projection: OutputProjection,
    statistics: ProjectionStatistics,
    blockSize: number,
    context: CriterionContext,
  ): Promise<BlockCosts>;
}
