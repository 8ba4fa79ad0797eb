// Symmetric matrices by their upper triangle: in half the room, and made whole.

/** Rows and columns that are mirrored at once: along a whole column each element would cost a line of the cache. */
const TILE = 32;

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
    start += n - row;
  }
  mirrorUpper(matrix, n);
  return matrix;
}

/** Writes the upper triangle of a matrix [n, n] into its lower one. */
export function mirrorUpper(matrix: Float32Array | Float64Array, n: number): void {
  for (let top = 0; top < n; top += TILE)
    for (let left = top; left < n; left += TILE)
      for (let column = left; column < Math.min(left + TILE, n); column++) {
        const end = Math.min(top + TILE, column);
        for (let row = top; row < end; row++) matrix[column * n + row] = matrix[row * n + column]!;
      }
}

/** Numbers in the packed form of a matrix [n, n]. */
export const packedLength = (n: number): number => (n * (n + 1)) / 2;
