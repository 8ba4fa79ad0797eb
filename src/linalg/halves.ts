// The inverse of a symmetric positive definite matrix that is small enough to be copied, by halves: the fewest and largest products.
import { blockOf, type Gemm, type Matrix, matrix, putBlock, type Span } from "./gemm.ts";
import { mirrorUpper } from "./packed-symmetric.ts";
import { factorTriangle, invertTriangle } from "./triangle.ts";

/** Bytes of an f64 matrix that may be copied. */
const COPIED_BYTES = 32 * 2 ** 20;

/** Rows up to which plain loops are as fast as products. */
const LOOP_ROWS = 96;

/** Whether a matrix of so many rows is small enough. */
export const isHalved = (size: number): boolean => 8 * size ** 2 <= COPIED_BYTES;

/**
 * A ← A⁻¹ in place. With P = A_11⁻¹, T = P A_12 and Q = (A_22 − A_12ᵀT)⁻¹ its blocks are P + TQTᵀ, −TQ and Q.
 *
 * @param square A, symmetric, f64 [size, size]
 * @param firstRow where it lies in the whole matrix, for the message
 * @throws {CompError} "numeric" when A is not positive definite
 *
 * Cost: ⅔ size³ multiply-adds. Memory: five quarters of A beyond A itself.
 */
export async function invertByHalves(gemm: Gemm, square: Matrix, firstRow = 0): Promise<void> {
  const size = square.rows;
  if (size <= LOOP_ROWS) {
    square.data.set((await invertByLoops(gemm, square, firstRow)).data);
    return;
  }
  const [first, second] = halvesOf(size);
  const upper = blockOf(square, first, first);
  await invertByHalves(gemm, upper, firstRow);
  const beside = blockOf(square, first, second);
  const solved = await gemm(upper, beside);
  const lower = blockOf(square, second, second);
  await gemm(beside, solved, { transA: true, alpha: -1 }, lower);
  await invertByHalves(gemm, lower, firstRow + second[0]);
  const corner = await gemm(solved, lower, { alpha: -1 });
  await gemm(corner, solved, { transB: true, alpha: -1 }, upper);
  putBlock(square, upper, 0, 0);
  putBlock(square, corner, 0, second[0]);
  putBlock(square, lower, second[0], second[0]);
  mirrorUpper(square.data, size);
}

const halvesOf = (size: number): [Span, Span] => [
  [0, size >> 1],
  [size >> 1, size],
];

/** A⁻¹ of a few rows. */
async function invertByLoops(gemm: Gemm, { rows, data }: Matrix, firstRow: number): Promise<Matrix> {
  const factor = data.slice();
  factorTriangle(factor, rows, firstRow);
  const inverse = matrix(rows, rows, invertTriangle(factor, rows));
  return gemm(inverse, inverse, { transB: true });
}
