// The mask-tuning objective of a greedy elimination: the output error that remains when every other neuron gets a new
// scale. It carries the tuned mask along, and holds its variance in the trusted range.
import type { Gemm } from "../linalg/gemm.ts";
import { isTrusted, maskSpread } from "../linalg/mask-system.ts";
import { forwardSubstitute } from "../linalg/triangle.ts";
import type { Batch, Objective } from "./greedy.ts";

/**
 * Numerators 1: the score is 1 / [Q⁻¹]_jj. Removing r re-tunes the mask of the others, m ← m − P_:r (P_rr)⁻¹ m_r,
 * and costs m_rᵀ (P_rr)⁻¹ m_r, the exact growth of the tuned (ridged) output error.
 */
export class MaskObjective implements Objective {
  numerators: Float64Array;
  private mask: Float64Array;

  constructor(size: number) {
    this.numerators = new Float64Array(size).fill(1);
    this.mask = new Float64Array(size).fill(1);
  }

  /**
   * Refuses a batch after which the mask of the remaining neurons leaves its trusted range. This is our reading of
   * COMP's iteration, which adjusts how many neurons it prunes at a time so that the mask's variance stays controlled.
   */
  admits(batch: Batch, removed: Uint8Array): boolean {
    const tuned = this.tunedWithout(batch);
    const gone = new Set(batch.indices);
    return isTrusted(maskSpread(tuned.filter((_, j) => removed[j] === 0 && !gone.has(j))));
  }

  async remove(_: Gemm, batch: Batch): Promise<number> {
    const whitened = this.whitenedMask(batch);
    this.mask = this.tunedWithout(batch);
    return whitened.reduce((sum, value) => sum + value ** 2, 0);
  }

  /** U⁻ᵀm_r. */
  private whitenedMask({ indices, factor }: Batch): Float64Array {
    const scales = Float64Array.from(indices, (j) => this.mask[j]!);
    forwardSubstitute(factor, indices.length, scales, 1);
    return scales;
  }

  private tunedWithout(batch: Batch): Float64Array {
    const size = this.mask.length;
    const tuned = this.mask.slice();
    this.whitenedMask(batch).forEach((scale, i) => {
      for (let j = 0; j < size; j++) tuned[j]! -= scale * batch.whitened[i * size + j]!;
    });
    return tuned;
  }

  async compact(_: Gemm, survivors: Int32Array): Promise<void> {
    this.numerators = this.numerators.subarray(0, survivors.length);
    this.mask = Float64Array.from(survivors, (j) => this.mask[j]!);
  }
}
