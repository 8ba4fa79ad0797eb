// A square matrix from which low-rank products are subtracted late: rows are corrected when they are asked for, the
// whole matrix only now and then, by one product of full speed.
import { gatherColumns, gatherRows } from "./gather.ts";
import { type Gemm, matrix } from "./gemm.ts";

/** A − XᵀY, where A lies in memory and the rows of X and Y, `rank` of them, are still to be multiplied out. */
export class DowndatedMatrix<D extends Float32Array | Float64Array> {
  size: number;
  rank = 0;
  private base: D;
  private readonly left: D;
  private readonly right: D;

  /**
   * @param base A [size, size]; overwritten in place
   * @param left, right memory for X and Y: [capacity, size] each
   */
  constructor(base: D, left: D, right: D) {
    this.size = Math.sqrt(base.length);
    this.base = base;
    this.left = left;
    this.right = right;
  }

  /** The rows of the given indices as they are now, computed in A's precision, as f64 [indices.length, size]. */
  async rows(gemm: Gemm, indices: Int32Array): Promise<Float64Array> {
    const { size, rank } = this;
    const rows = matrix(indices.length, size, gatherRows(this.base, size, indices));
    if (rank > 0) {
      const factors = matrix(rank, indices.length, gatherColumns(this.pending(this.left), size, indices));
      await gemm(factors, matrix(rank, size, this.pending(this.right)), { transA: true, alpha: -1 }, rows);
    }
    return new Float64Array(rows.data);
  }

  /** Subtracts XᵀY for further rows of X and Y [rows, size]; they are copied. */
  subtract(x: Float64Array, y: Float64Array): void {
    this.left.set(x, this.rank * this.size);
    this.right.set(y, this.rank * this.size);
    this.rank += x.length / this.size;
  }

  /** Multiplies out what is pending, then drops all rows and columns but the survivors (ascending). */
  async compact(gemm: Gemm, survivors: Int32Array): Promise<void> {
    const { size, rank, base } = this;
    const [x, y] = [this.left, this.right].map((rows) => matrix(rank, size, this.pending(rows)));
    await gemm(x!, y!, { transA: true, alpha: -1 }, matrix(size, size, base));
    const left = survivors.length;
    for (let i = 0; i < left; i++) {
      const [to, from] = [i * left, survivors[i]! * size];
      for (let j = 0; j < left; j++) base[to + j] = base[from + survivors[j]!]!;
    }
    this.size = left;
    this.base = base.subarray(0, this.size ** 2) as D;
    this.rank = 0;
  }

  /** The rows of X or Y that are still to be multiplied out. [rank, size] */
  private pending(rows: D): D {
    return rows.subarray(0, this.rank * this.size) as D;
  }
}
