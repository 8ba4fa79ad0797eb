// Symmetric matrices in half the room.

/** The upper triangle of a symmetric matrix [n, n], row by row: f32 [n (n + 1) / 2]. */
export function packSymmetric(matrix: Float32Array, n: number): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(packedLength(n));
  for (let row = 0, end = 0; row < n; row++) {
    packed.set(matrix.subarray(row * n + row, row * n + n), end);
    end += n - row;
  }
  return packed;
}

/** The matrix [n, n] that was packed. */
export function unpackSymmetric(packed: Float32Array, n: number): Float32Array<ArrayBuffer> {
  const matrix = new Float32Array(n * n);
  for (let row = 0, start = 0; row < n; row++) {
    matrix.set(packed.subarray(start, start + n - row), row * n + row);
    for (let column = row + 1; column < n; column++) matrix[column * n + row] = matrix[row * n + column]!;
    start += n - row;
  }
  return matrix;
}

/** Numbers in the packed form of a matrix [n, n]. */
export const packedLength = (n: number): number => (n * (n + 1)) / 2;
