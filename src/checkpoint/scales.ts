// Scales of weights in few bits: a factor for each block of rows and columns of a matrix.

/** Rows and columns that share a scale. Blocks at the end of a row, and of the matrix, may be cut short. */
export type ScaleBlock = readonly [rows: number, columns: number];

/**
 * Multiplies elements of a matrix by the scales of their blocks.
 *
 * @param values  the elements from `start` on, row-major
 * @param columns of the matrix
 * @param scales  those of all blocks, row-major
 */
export function applyScales(
  values: Float32Array,
  start: number,
  columns: number,
  scales: Float32Array,
  [blockRows, blockColumns]: ScaleBlock,
): void {
  const perRow = Math.ceil(columns / blockColumns);
  for (let at = 0; at < values.length; ) {
    const row = Math.floor((start + at) / columns);
    const column = (start + at) % columns;
    const block = Math.floor(column / blockColumns);
    const scale = scales[Math.floor(row / blockRows) * perRow + block]!;
    const end = Math.min(at + Math.min((block + 1) * blockColumns, columns) - column, values.length);
    for (; at < end; at++) values[at]! *= scale;
  }
}
