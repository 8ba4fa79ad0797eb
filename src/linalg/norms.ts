// Norms of matrix columns.
import { diagonal } from "./spd.ts";

/** ‖w_j‖² of each column of W, f32 [rows, cols] row-major; f64 [cols]. */
export function columnSquares(matrix: Float32Array, cols: number): Float64Array {
  const squares = new Float64Array(cols);
  for (let start = 0; start < matrix.length; start += cols)
    for (let j = 0; j < cols; j++) squares[j]! += matrix[start + j]! ** 2;
  return squares;
}

/** ‖z_j‖ · ‖w_j‖ of each neuron from the Gram matrix of its activations and its column of down_proj; f64 [size]. */
export function contributionNorms(gram: Float32Array, downProj: Float32Array, size: number): Float64Array {
  const activations = diagonal(gram, size);
  return columnSquares(downProj, size).map((square, j) => Math.sqrt(square * activations[j]!));
}
