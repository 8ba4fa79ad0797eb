// The one dense product that linear algebra needs. A backend provides it (src/compute/); everything here is built on it.

/** A dense matrix, row-major [rows, cols]. */
export interface Matrix<D extends Float32Array | Float64Array = Float64Array> {
  readonly rows: number;
  readonly cols: number;
  readonly data: D;
}

export interface GemmOptions {
  transA?: boolean;
  transB?: boolean;
  /** Scales the product; default 1. Only 1 and −1 are used. */
  alpha?: 1 | -1;
}

/**
 * C ← alpha · op(A) · op(B) + C when `into` is given (in place), else a new matrix alpha · op(A) · op(B).
 * All operands have the same element type, f32 or f64.
 */
export type Gemm = <D extends Float32Array | Float64Array>(
  a: Matrix<D>,
  b: Matrix<D>,
  options?: GemmOptions,
  into?: Matrix<D>,
) => Promise<Matrix<D>>;

export function matrix<D extends Float32Array | Float64Array>(rows: number, cols: number, data: D): Matrix<D> {
  if (data.length !== rows * cols) throw new RangeError(`${data.length} elements do not fill [${rows}, ${cols}]`);
  return { rows, cols, data };
}

/** Rows `start` to `end` − 1: a view. */
export const rowsOf = <D extends Float32Array | Float64Array>(
  { cols, data }: Matrix<D>,
  start: number,
  end: number,
): Matrix<D> => matrix(end - start, cols, data.subarray(start * cols, end * cols) as D);

/** Columns `start` to `end` − 1, copied. */
export function columnsOf<D extends Float32Array | Float64Array>(
  { rows, cols, data }: Matrix<D>,
  start: number,
  end: number,
): Matrix<D> {
  const width = end - start;
  const columns = new (data.constructor as new (length: number) => D)(rows * width);
  for (let i = 0; i < rows; i++) columns.set(data.subarray(i * cols + start, i * cols + end), i * width);
  return matrix(rows, width, columns);
}

export type Span = readonly [start: number, end: number];

/** A block of a matrix, copied. */
export const blockOf = <D extends Float32Array | Float64Array>(whole: Matrix<D>, rows: Span, cols: Span): Matrix<D> =>
  columnsOf(rowsOf(whole, ...rows), ...cols);

/** Writes a block into a matrix, from a row and a column on. */
export function putBlock<D extends Float32Array | Float64Array>(
  whole: Matrix<D>,
  block: Matrix<D>,
  row: number,
  column: number,
): void {
  for (let i = 0; i < block.rows; i++)
    whole.data.set(block.data.subarray(i * block.cols, (i + 1) * block.cols), (row + i) * whole.cols + column);
}
