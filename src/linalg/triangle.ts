// Dense triangles of at most a few hundred rows, in plain loops: the diagonal blocks of the blocked algorithms.
import { CompError } from "../errors.ts";

/**
 * Factors A = UᵀU in place; the strict lower triangle becomes zero.
 *
 * @param block A, symmetric, f64 [n, n]; only the upper triangle is read
 * @param firstRow where the block lies in the whole matrix, for the message
 * @throws {CompError} "numeric" when A is not positive definite or not finite
 */
export function factorTriangle(block: Float64Array, n: number, firstRow = 0): void {
  for (let k = 0; k < n; k++) {
    const pivot = block[k * n + k]!;
    if (!(pivot > 0 && pivot < Infinity)) throw notPositiveDefinite(pivot, firstRow + k);
    const scale = 1 / Math.sqrt(pivot);
    for (let j = k; j < n; j++) block[k * n + j]! *= scale;
    for (let i = k + 1; i < n; i++) {
      const factor = block[k * n + i]!;
      block[i * n + k] = 0;
      for (let j = i; j < n; j++) block[i * n + j]! -= factor * block[k * n + j]!;
    }
  }
}

const notPositiveDefinite = (pivot: number, row: number): CompError =>
  new CompError(
    "numeric",
    `the matrix of calibration statistics is not positive definite: pivot ${pivot} in row ${row}`,
    {
      hint: "use more calibration text or a larger ridge; if the pivot is NaN, the weights are not finite",
    },
  );

/** U⁻¹ of an upper triangle U, f64 [n, n]; the strict lower triangle is zero. */
export function invertTriangle(u: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(n * n);
  for (let i = n - 1; i >= 0; i--) {
    const reciprocal = 1 / u[i * n + i]!;
    inverse[i * n + i] = reciprocal;
    for (let k = i + 1; k < n; k++) {
      const factor = u[i * n + k]! * reciprocal;
      for (let j = k; j < n; j++) inverse[i * n + j]! -= factor * inverse[k * n + j]!;
    }
  }
  return inverse;
}

/** B ← U⁻ᵀB in place, for an upper triangle U [n, n] and B [n, cols]. */
export function forwardSubstitute(u: Float64Array, n: number, b: Float64Array, cols: number): void {
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      const factor = u[k * n + i]!;
      for (let j = 0; j < cols; j++) b[i * cols + j]! -= factor * b[k * cols + j]!;
    }
    const reciprocal = 1 / u[i * n + i]!;
    for (let j = 0; j < cols; j++) b[i * cols + j]! *= reciprocal;
  }
}
