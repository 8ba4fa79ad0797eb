// What an importance criterion is: it ranks the neurons of one MLP by what their removal costs.
import type { Gemm } from "../linalg/gemm.ts";
import type { BlockCosts } from "./block-costs.ts";

/** Moments of Z [tokens, m], the input of down_proj over the calibration tokens. */
export interface NeuronStatistics {
  /** G = ZᵀZ, f32 [m, m]. */
  readonly gram: Float32Array;
  /** Mean over the tokens, f32 [m]. */
  readonly mean: Float32Array;
  readonly tokenCount: number;
  /** S = E[g gᵀ], f32 [d, d]: g is the gradient of the loss at down_proj's output. Present after a gradient sweep. */
  readonly lossCovariance?: Float32Array;
  /** Σ |w · ∂L/∂w| over the weights of each neuron, or of each element of the heads, f32 [m]: L is the loss of the dense model on text. Present after a gradient sweep. */
  readonly weightSensitivity?: Float32Array;
}

/** The matrix that reads what is cut: down_proj, or o_proj where heads are. */
export interface OutputMatrix {
  readonly downProj: Float32Array; // [d, m]
  readonly hiddenSize: number; // d
  readonly intermediateSize: number; // m
}

export interface MlpMatrices extends OutputMatrix {
  readonly gateProj: Float32Array; // [m, d]
  readonly upProj: Float32Array; // [m, d]
}

export interface Removal {
  /** Neurons in the order of their removal, the least important first. */
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
  readonly name: string;
  /** One line for the help text. */
  readonly description: string;
  /** Whether `statistics.lossCovariance` has to be there. */
  readonly needsLossCovariance?: boolean;
  /** Whether `statistics.weightSensitivity` has to be there. */
  readonly needsWeightSensitivity?: boolean;
  /** Whether the cost of a neuron does not depend on which others go: only then can all layers be ranked at once. */
  readonly oneShot?: boolean;
  /** The first `count` neurons to remove. @throws {CompError} "numeric" when weights or statistics are not finite */
  rank(mlp: MlpMatrices, statistics: NeuronStatistics, count: number, context: CriterionContext): Promise<Removal>;
  /**
   * What blocks of `blockSize` inputs of o_proj cost, for heads, from the same statistics of its input; absent where the
   * criterion knows neurons only.
   */
  blockCosts?(
    output: OutputMatrix,
    statistics: NeuronStatistics,
    blockSize: number,
    context: CriterionContext,
  ): Promise<BlockCosts>;
}
