// The least-squares objective of a greedy elimination: the output error that remains when the weights of all other
// neurons are refitted. Only M = VᵀV is needed of the weights V.
import { DowndatedMatrix } from "../linalg/downdated.ts";
import { gatherColumns } from "../linalg/gather.ts";
import type { Gemm } from "../linalg/gemm.ts";
import { diagonal } from "../linalg/spd.ts";
import { forwardSubstitute } from "../linalg/triangle.ts";
import { type Batch, FLUSH_RANK, type Objective } from "./greedy.ts";

/**
 * Numerators ‖v_j‖² = M_jj. Removing r refits V ← V − V_r (P_rr)⁻¹ P_r:, hence with N = U⁻ᵀM_r:, T = U⁻ᵀM_rr U⁻¹ and
 * E = N − ½TF: M ← M − EᵀF − FᵀE, at the cost tr(V_r (P_rr)⁻¹ V_rᵀ) = tr T.
 *
 * @see Hassibi & Stork 1993 (optimal brain surgeon), for groups: Kurtic et al. 2023 (ZipLM), arXiv:2302.04089
 */
export class ReconstructionObjective implements Objective {
  numerators: Float64Array;
  private readonly product: DowndatedMatrix<Float32Array>;

  /** @param product M = VᵀV, f32 [m, m]; overwritten */
  constructor(product: Float32Array) {
    const size = Math.sqrt(product.length);
    const work = new Float32Array(4 * FLUSH_RANK * size);
    const half = 2 * FLUSH_RANK * size;
    this.product = new DowndatedMatrix(product, work.subarray(0, half), work.subarray(half));
    this.numerators = diagonal(product, size);
  }

  admits(): boolean {
    return true;
  }

  async remove(gemm: Gemm, { indices, factor, whitened }: Batch): Promise<number> {
    const [count, size] = [indices.length, this.product.size];
    const rows = await this.product.rows(gemm, indices);
    forwardSubstitute(factor, count, rows, size);
    const inner = transposed(gatherColumns(rows, size, indices), count);
    forwardSubstitute(factor, count, inner, count);
    for (let i = 0; i < count; i++)
      for (let k = 0; k < count; k++) {
        const half = inner[i * count + k]! / 2;
        const [to, from] = [i * size, k * size];
        for (let j = 0; j < size; j++) rows[to + j]! -= half * whitened[from + j]!;
      }
    this.product.subtract(rows, whitened);
    this.product.subtract(whitened, rows);
    for (let i = 0; i < count; i++)
      for (let j = 0; j < size; j++) this.numerators[j]! -= 2 * rows[i * size + j]! * whitened[i * size + j]!;
    return diagonal(inner, count).reduce((sum, value) => sum + value, 0);
  }

  async compact(gemm: Gemm, survivors: Int32Array): Promise<void> {
    await this.product.compact(gemm, survivors);
    this.numerators = Float64Array.from(survivors, (j) => this.numerators[j]!);
  }
}

const transposed = (square: Float64Array, size: number): Float64Array =>
  square.map((_, i) => square[(i % size) * size + Math.floor(i / size)]!);
