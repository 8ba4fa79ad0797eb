// What a recovery is: given which inputs of a projection stay, it returns the weights that best make up for those that go.
import type { Gemm } from "../linalg/gemm.ts";
import type { OutputProjection, StoredStatistics } from "../linalg/projection.ts";

export interface RecoveryContext {
  readonly gemm: Gemm;
  /** Damping as a share of the mean diagonal of the system that is solved. */
  readonly ridge: number;
}

export interface Recovered {
  /** Ŵ, f32 [outputSize, k]. */
  readonly weight: Float32Array;
  /** To be added to the output, f32 [outputSize]. */
  readonly bias?: Float32Array | undefined;
}

export interface Recovery {
  /** Whether it aims at the dense model's hidden states: it needs `drift` and `fisherFactor`, and refits what loses nothing too. */
  readonly towardsDense?: boolean;
  /** Whether it adds a bias, for which the output format needs a place. */
  readonly addsBias?: boolean;
  /**
   * @param kept the inputs that stay, ascending [k]
   * @throws {CompError} "numeric" when the statistics are not finite or their system cannot be solved
   */
  recover(
    projection: OutputProjection,
    statistics: StoredStatistics,
    kept: Int32Array,
    context: RecoveryContext,
  ): Promise<Recovered>;
}
