// A square matrix from which low-rank products are subtracted late: rows are corrected when they are asked for, the
// whole matrix only now and then, by one product of full speed.
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

  /** The rows of the given indices as they are now, f64 [indices.length, size]. */
  rows(indices: Int32Array): Float64Array {
    const { size, base } = this;
    const rows = new Float64Array(indices.length * size);
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!;
      rows.set(base.subarray(index * size, (index + 1) * size), i * size);
      this.correct(rows.subarray(i * size, (i + 1) * size), index);
    }
    return rows;
  }

  private correct(row: Float64Array, index: number): void {
    const { size, rank, left, right } = this;
    for (let t = 0; t < rank; t++) {
      const factor = left[t * size + index]!;
      const start = t * size;
      for (let j = 0; j < size; j++) row[j]! -= factor * right[start + j]!;
    }
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
    const pending = (data: D) => matrix(rank, size, data.subarray(0, rank * size) as D);
    await gemm(pending(this.left), pending(this.right), { transA: true, alpha: -1 }, matrix(size, size, base));
    for (let i = 0, next = 0; i < survivors.length; i++)
      for (let j = 0; j < survivors.length; j++) base[next++] = base[survivors[i]! * size + survivors[j]!]!;
    this.size = survivors.length;
    this.base = base.subarray(0, this.size ** 2) as D;
    this.rank = 0;
  }
}
