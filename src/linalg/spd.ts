// Symmetric positive definite matrices: the diagonal, and the ridge that makes a Gram matrix safely invertible.
import { CompError } from "../errors.ts";

/** The diagonal of a square matrix, in f64. */
export function diagonal(square: Float32Array | Float64Array, size: number): Float64Array {
  const values = new Float64Array(size);
  for (let i = 0; i < size; i++) values[i] = square[i * size + i]!;
  return values;
}

/** Mean of the diagonal. @throws {CompError} "numeric" when it is not a positive, finite number. */
export function meanDiagonal(square: Float32Array | Float64Array, size: number): number {
  const mean = diagonal(square, size).reduce((sum, value) => sum + value, 0) / size;
  if (!(mean > 0 && mean < Infinity))
    throw new CompError("numeric", `the calibration statistics have a mean diagonal of ${mean}`, {
      hint: "all neurons of a layer are silent, or its weights are not finite: check the checkpoint",
    });
  return mean;
}

/** A ← A + value · I, in place. */
export function addToDiagonal(square: Float64Array, size: number, value: number): void {
  for (let i = 0; i < size; i++) square[i * size + i]! += value;
}

/** A + ridge · mean(diag A) · I as a new f64 matrix [size, size]. */
export function ridged(square: Float32Array | Float64Array, size: number, ridge: number): Float64Array {
  const result = new Float64Array(square);
  addToDiagonal(result, size, ridge * meanDiagonal(square, size));
  return result;
}
