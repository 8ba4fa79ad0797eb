// Tensors of which a row of the model is no row of the file: transposed matrices, parts whose rows take turns, and the vectors of
// experts. They are read and written a whole matrix at a time, of which a file may stack several.
import { elementsOf, rowSizeOf } from "../../checkpoint/checkpoint.ts";
import type { Piece, StoredTensor } from "./stored-tensors.ts";

/** One matrix of a stored tensor. */
export interface StoredMatrix {
  readonly stored: StoredTensor;
  /** Its number among those that are stacked. */
  readonly index: number;
  /** Rows and their elements, as the model has them. */
  readonly rows: number;
  readonly rowSize: number;
  /** Rows of the file that it takes. */
  readonly fileStart: number;
  readonly fileEnd: number;
}

/** The matrix that a piece lies in. */
export function matrixOf(stored: StoredTensor, piece: Piece): StoredMatrix {
  const size = elementsOf(stored.shape) / (stored.experts ?? 1);
  const rowSize = elementsOf(piece.tensor.shape.slice(1));
  const rows = size / rowSize;
  const index = Math.floor(piece.at / rows);
  const fileRows = size / rowSizeOf(stored.shape);
  return { stored, index, rows, rowSize, fileStart: index * fileRows, fileEnd: (index + 1) * fileRows };
}

/** Rows [start, end) of a piece, of the values of its matrix as the file has them. [end − start, rowSize] */
export function rowsOf(
  matrix: StoredMatrix,
  piece: Piece,
  values: Float32Array,
  start: number,
  end: number,
): Float32Array {
  const { rowSize } = matrix;
  const rows = new Float32Array((end - start) * rowSize);
  for (let row = start, i = 0; row < end; row++)
    for (let column = 0; column < rowSize; column++) rows[i++] = values[placeOf(matrix, piece, row, column)]!;
  return rows;
}

/** Where an element of a row of a piece lies in its matrix. */
function placeOf(
  { stored: { transposed }, index, rows, rowSize }: StoredMatrix,
  { at, step }: Piece,
  row: number,
  column: number,
): number {
  const own = at - index * rows + row * step;
  return transposed ? column * rows + own : own * rowSize + column;
}

/** A matrix that can be written once all its rows are there. */
export class MatrixInTheMaking {
  readonly matrix: StoredMatrix;
  /** As the file has them. */
  readonly values: Float32Array;
  #missing: number;

  constructor(matrix: StoredMatrix) {
    this.matrix = matrix;
    this.values = new Float32Array(matrix.rows * matrix.rowSize);
    this.#missing = matrix.rows;
  }

  /** Takes rows of a piece from `start` on; tells whether all of the matrix are there. */
  put(piece: Piece, start: number, rows: Float32Array): boolean {
    const { rowSize } = this.matrix;
    const count = rows.length / rowSize;
    for (let row = 0, i = 0; row < count; row++)
      for (let column = 0; column < rowSize; column++)
        this.values[placeOf(this.matrix, piece, start + row, column)] = rows[i++]!;
    this.#missing -= count;
    return this.#missing === 0;
  }
}
