// Rows, columns and blocks of row-major matrices, copied out by index.

/** Rows of a matrix with `rowLength` columns (of bytes: that many a row): [indices.length, rowLength]. */
export function gatherRows<D extends Float32Array | Float64Array | Uint8Array>(
  source: D,
  rowLength: number,
  indices: Int32Array,
): D {
  const rows = new (source.constructor as new (length: number) => D)(indices.length * rowLength);
  for (let i = 0; i < indices.length; i++)
    rows.set(source.subarray(indices[i]! * rowLength, (indices[i]! + 1) * rowLength), i * rowLength);
  return rows;
}

/** Columns of a matrix with `rowLength` columns: [rows, indices.length]. */
export function gatherColumns<D extends Float32Array | Float64Array>(
  source: D,
  rowLength: number,
  indices: Int32Array,
): D {
  const width = indices.length;
  const height = source.length / rowLength;
  const columns = new (source.constructor as new (length: number) => D)(height * width);
  for (let i = 0; i < height; i++) {
    const start = i * rowLength;
    for (let j = 0; j < width; j++) columns[i * width + j] = source[start + indices[j]!]!;
  }
  return columns;
}

/** The inverse of `gatherColumns`: columns [rows, indices.length] in a matrix of `rowLength`, zero elsewhere. */
export function scatterColumns(columns: Float32Array, indices: Int32Array, rowLength: number): Float32Array {
  const width = indices.length;
  const height = columns.length / width;
  const wide = new Float32Array(height * rowLength);
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) wide[i * rowLength + indices[j]!] = columns[i * width + j]!;
  return wide;
}

/** The block of the given rows and columns in f64, ready for a solve: [rows.length, columns.length]. */
export function gatherBlock(
  source: Float32Array,
  rowLength: number,
  rows: Int32Array,
  columns: Int32Array,
): Float64Array {
  const width = columns.length;
  const block = new Float64Array(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    const start = rows[i]! * rowLength;
    for (let j = 0; j < width; j++) block[i * width + j] = source[start + columns[j]!]!;
  }
  return block;
}

/** The indices 0 … size − 1. */
export const allIndices = (size: number): Int32Array => Int32Array.from({ length: size }, (_, index) => index);

/** The indices 0 … size − 1 that are not among `indices`, ascending. */
export function complement(indices: Int32Array, size: number): Int32Array {
  const rest = new Int32Array(size - indices.length);
  const listed = new Uint8Array(size);
  for (const index of indices) listed[index] = 1;
  for (let i = 0, next = 0; i < size; i++) if (listed[i] === 0) rest[next++] = i;
  return rest;
}
