// The order of rows that rotary embedding turns. Some files store them for a rotation of neighbours (llama.cpp, GLM, Ernie), where
// elements 2i and 2i + 1 of a head turn together; the graphs here rotate halves, i and i + size / 2. Scores are the same: both
// queries and keys are reordered.

/** A head of which the first `rotarySize` rows are rotated, and stored in pairs. */
export interface PairedHead {
  readonly headDim: number;
  readonly rotarySize: number;
}

/** Rows as values, or as the bytes that a file has of them. */
export type Rows = Float32Array | Uint8Array;

const rotateHalfRow = (stored: number, { rotarySize }: PairedHead): number =>
  stored < rotarySize ? (stored % 2) * (rotarySize / 2) + Math.floor(stored / 2) : stored;
const storedRow = (row: number, { rotarySize }: PairedHead): number =>
  row < rotarySize ? (row % (rotarySize / 2)) * 2 + Math.floor(row / (rotarySize / 2)) : row;

/** Rows as the graphs want them → as they are stored. @param values whole heads, [heads × headDim, rowSize] */
export const toPairs = <R extends Rows>(values: R, head: PairedHead, rowSize: number): R =>
  moveRows(values, head, rowSize, storedRow);

/** Rows as they are stored → as the graphs want them. @param values whole heads, [heads × headDim, rowSize] */
export const fromPairs = <R extends Rows>(values: R, head: PairedHead, rowSize: number): R =>
  moveRows(values, head, rowSize, rotateHalfRow);

/** Moves each row to its target within its head. */
function moveRows<R extends Rows>(
  values: R,
  head: PairedHead,
  rowSize: number,
  target: (row: number, head: PairedHead) => number,
): R {
  const out = values.slice() as R;
  const rows = values.length / rowSize;
  for (let row = 0; row < rows; row++) {
    const inHead = row % head.headDim;
    out.set(values.subarray(row * rowSize, (row + 1) * rowSize), (row - inHead + target(inHead, head)) * rowSize);
  }
  return out;
}
