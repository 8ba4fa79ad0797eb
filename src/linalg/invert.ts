// The inverse of a symmetric positive definite matrix, in its own memory.
import { columnsOf, type Gemm, type Matrix, matrix, putBlock } from "./gemm.ts";
import { invertByHalves, isHalved } from "./halves.ts";
import { factorTriangle, invertTriangle } from "./triangle.ts";

const BLOCK = 128;

/**
 * A ← A⁻¹ in place: by halves where A is small (halves.ts), else by the sweep operator.
 *
 * @param square A, symmetric, f64 [size, size]; both triangles are read
 * @throws {CompError} "numeric" when A is not positive definite
 */
export const invertSpd = (gemm: Gemm, square: Float64Array, size: number): Promise<void> =>
  isHalved(size) ? invertByHalves(gemm, matrix(size, size, square)) : invertBySweep(gemm, square, size);

/**
 * A ← A⁻¹ in place by the sweep operator on blocks: for each block k of rows, with A_kk = UᵀU,
 * A ← A − (U⁻ᵀA_k:)ᵀ(U⁻ᵀA_k:), A_k: ← A_kk⁻¹A_k:, A_kk ← −A_kk⁻¹; after the last block A holds −A⁻¹.
 *
 * @param square A, symmetric, f64 [size, size]; both triangles are read
 * @throws {CompError} "numeric" when A is not positive definite
 * @see Goodnight 1979, "A tutorial on the SWEEP operator"; Schur complements of A stay positive definite, so no pivoting
 *
 * Cost: size³ multiply-adds in products of rank 128. Memory: three panels of 128 rows beyond A itself.
 */
export async function invertBySweep(gemm: Gemm, square: Float64Array, size: number): Promise<void> {
  const whole = matrix(size, size, square);
  for (let start = 0; start < size; start += BLOCK) {
    const rows = Math.min(BLOCK, size - start);
    const panel = matrix(rows, size, square.slice(start * size, (start + rows) * size));
    const inverse = matrix(rows, rows, blockInverseFactor(panel, start));
    const whitened = await gemm(inverse, panel, { transA: true });
    await gemm(whitened, whitened, { transA: true, alpha: -1 }, whole);
    const solved = await gemm(inverse, whitened);
    const negated = await gemm(inverse, inverse, { transB: true, alpha: -1 });
    putBlock(solved, negated, 0, start);
    writeRowsAndColumns(square, size, start, solved.data);
  }
  for (let i = 0; i < square.length; i++) square[i] = -square[i]!;
}

/** U⁻¹ of the diagonal block UᵀU that lies at column `start` of a panel of rows. */
function blockInverseFactor(panel: Matrix, start: number): Float64Array {
  const block = columnsOf(panel, start, start + panel.rows);
  factorTriangle(block.data, block.rows, start);
  return invertTriangle(block.data, block.rows);
}

function writeRowsAndColumns(square: Float64Array, size: number, start: number, panel: Float64Array): void {
  square.set(panel, start * size);
  const rows = panel.length / size;
  for (let j = 0; j < size; j++) for (let i = 0; i < rows; i++) square[j * size + start + i] = panel[i * size + j]!;
}
