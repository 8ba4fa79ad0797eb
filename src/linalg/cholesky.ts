// Blocked Cholesky factorisation and solve. All large operands are whole rows, hence views without a copy.
import { blockOf, columnsOf, type Gemm, type Matrix, matrix, putBlock, rowsOf } from "./gemm.ts";
import { invertByHalves, isHalved } from "./halves.ts";
import { factorTriangle, invertTriangle } from "./triangle.ts";

/** Rows of a panel: enough for the product to run at full speed, few enough for the loops over the diagonal blocks. */
const BLOCK = 128;

/** A = UᵀU. */
export interface CholeskyFactor {
  readonly size: number;
  /** U in the upper triangle of [size, size]; the strict lower triangle is undefined. */
  readonly upper: Float64Array;
  /** U_kk⁻¹ of each diagonal block. */
  readonly diagonalInverses: readonly Float64Array[];
}

/**
 * Factors A = UᵀU in place, one panel of rows after the other (left-looking).
 *
 * @param square A, symmetric positive definite, f64 [size, size]; overwritten by U
 * @throws {CompError} "numeric" when A is not positive definite
 *
 * Cost: size³/2 multiply-adds, three times the least possible: whole rows are multiplied so that none are copied.
 */
export async function cholesky(gemm: Gemm, square: Float64Array, size: number): Promise<CholeskyFactor> {
  const whole = matrix(size, size, square);
  const diagonalInverses: Float64Array[] = [];
  for (let start = 0; start < size; start += BLOCK) {
    const end = Math.min(start + BLOCK, size);
    const panel = rowsOf(whole, start, end);
    if (start > 0) {
      const strip = blockOf(whole, [0, start], [start, end]);
      await gemm(strip, rowsOf(whole, 0, start), { transA: true, alpha: -1 }, panel);
    }
    const block = columnsOf(panel, start, end);
    factorTriangle(block.data, block.rows, start);
    const inverse = invertTriangle(block.data, block.rows);
    diagonalInverses.push(inverse);
    const solved = end < size ? await gemm(matrix(block.rows, block.rows, inverse), panel, { transA: true }) : panel;
    panel.data.set(solved.data);
    putBlock(panel, block, 0, start);
  }
  return { size, upper: square, diagonalInverses };
}

/** B ← A⁻¹B in place, for the factor of A and B f64 [size, cols]. */
export async function solveFactored(gemm: Gemm, factor: CholeskyFactor, b: Matrix): Promise<void> {
  const { size, upper, diagonalInverses } = factor;
  const whole = matrix(size, size, upper);
  const spans = diagonalInverses.map((_, k) => [k * BLOCK, Math.min((k + 1) * BLOCK, size)] as const);
  const finish = async (k: number, transA: boolean) => {
    const panel = rowsOf(b, ...spans[k]!);
    panel.data.set((await gemm(matrix(panel.rows, panel.rows, diagonalInverses[k]!), panel, { transA })).data);
  };
  for (const [k, span] of spans.entries()) {
    if (k > 0) {
      const strip = blockOf(whole, [0, span[0]], span);
      await gemm(strip, rowsOf(b, 0, span[0]), { transA: true, alpha: -1 }, rowsOf(b, ...span));
    }
    await finish(k, true);
  }
  for (const [k, span] of [...spans.entries()].reverse()) {
    if (span[1] < size) {
      const strip = blockOf(whole, span, [span[1], size]);
      await gemm(strip, rowsOf(b, span[1], size), { alpha: -1 }, rowsOf(b, ...span));
    }
    await finish(k, false);
  }
}

/**
 * Solves A X = B for a symmetric positive definite A, by its factor, or by its inverse where that takes less time (halves.ts). A is
 * lost, B overwritten by X.
 *
 * @param square A, f64 [size, size]
 * @param b B, f64 [size, cols]
 * @throws {CompError} "numeric" when A is not positive definite
 *
 * Memory: a few panels of 128 rows beyond the operands; with the inverse about as much again as they take.
 */
export async function solveSpd(gemm: Gemm, square: Float64Array, b: Matrix): Promise<void> {
  const size = b.rows;
  if (!isHalved(size)) return solveFactored(gemm, await cholesky(gemm, square, size), b);
  const whole = matrix(size, size, square);
  await invertByHalves(gemm, whole);
  b.data.set((await gemm(whole, b)).data);
}
