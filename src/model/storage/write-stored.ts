// A writer that takes the tensors of a model by their names and puts their rows where a file stores them.
import { byteLength, type Dtype } from "../../checkpoint/dtype.ts";
import type { TensorWriter } from "../../checkpoint/tensor-writer.ts";
import { elementCount } from "../../compute/tensor.ts";
import { MatrixInTheMaking, matrixOf } from "./interwoven.ts";
import { type Rows, toPairs } from "./rotary-pairs.ts";
import {
  isInterwoven,
  type Piece,
  type Place,
  pairsOf,
  placesByName,
  type RowForm,
  rowFormOf,
  type StoredTensor,
} from "./stored-tensors.ts";

/** A stored tensor and the type in which it is written. */
export interface TypedTensor extends StoredTensor {
  readonly dtype: Dtype;
}

/** A writer of a model's own tensors. */
export interface StoringWriter extends TensorWriter {
  /** How the rows of a tensor are stored, which `writeRowBytes` takes in the order of the model. */
  rowForm(name: string): RowForm | undefined;
}

/** Wraps the writer of the stored tensors. What is interwoven takes no importance: nothing that is quantized is. */
export function storingWriter(writer: TensorWriter, stored: readonly TypedTensor[]): StoringWriter {
  const types = new Map(stored.map((one): [StoredTensor, Dtype] => [one, one.dtype]));
  const places = placesByName(stored);
  const interwoven = new Map<string, MatrixInTheMaking>();
  const placesOf = (name: string): readonly Place[] => {
    const found = places.get(name);
    if (found === undefined) throw new RangeError(`tensor "${name}" has no place in the file`);
    return found;
  };
  /** Rows from `startRow` on of what lies at a place. */
  const put = async (
    place: Place,
    startRow: number,
    values: Float32Array,
    importance: Float32Array | undefined,
  ): Promise<void> => {
    const { stored: target, piece } = place;
    const rows = asStored(place, values);
    if (!isInterwoven(target)) return writer.writeRows(target.name, piece.at + startRow, rows, importance);
    const matrix = matrixOf(target, piece);
    const key = `${matrix.index} ${target.name}`;
    const making = interwoven.get(key) ?? new MatrixInTheMaking(matrix);
    interwoven.set(key, making);
    if (!making.put(piece, startRow, rows)) return;
    interwoven.delete(key);
    await writer.writeRows(target.name, matrix.fileStart, making.values);
  };
  const writeRows: TensorWriter["writeRows"] = (name, startRow, values, importance) => {
    const rowSize = elementCount(placesOf(name)[0]!.piece.tensor.shape.slice(1));
    return toEach(placesOf(name), startRow, values, rowSize, (place, row, rows) => put(place, row, rows, importance));
  };
  return {
    write: (name, values, importance) => writeRows(name, 0, values, importance),
    writeRows,
    rowForm: (name) => rowFormOf(placesOf(name), (one) => types.get(one)!),
    writeRowBytes: (name, startRow, bytes) => {
      const { dtype, rowSize } = rowFormOf(placesOf(name), (one) => types.get(one)!)!;
      const rowBytes = byteLength(dtype, rowSize);
      return toEach(placesOf(name), startRow, bytes, rowBytes, ({ stored, piece }, row, rows) =>
        writer.writeRowBytes(stored.name, piece.at + row, inStoredOrder(stored, piece, rows, rowBytes)),
      );
    },
    keep: (name) => {
      for (const { stored: target } of placesOf(name)) writer.keep(target.name);
    },
    finish: () => writer.finish(),
  };
}

/** Hands each place those of the rows from `startRow` on that lie there. */
async function toEach<R extends Rows>(
  places: readonly Place[],
  startRow: number,
  rows: R,
  rowSize: number,
  put: (place: Place, startRow: number, rows: R) => Promise<void>,
): Promise<void> {
  for (const place of places) {
    const { start, end } = place.piece;
    const [from, to] = [Math.max(startRow, start), Math.min(startRow + rows.length / rowSize, end)];
    if (from < to)
      await put(place, from - start, rows.subarray((from - startRow) * rowSize, (to - startRow) * rowSize) as R);
  }
}

/** Rows in their stored order, with what is added to them. */
function asStored({ stored, piece }: Place, values: Float32Array): Float32Array {
  const rows = inStoredOrder(stored, piece, values, elementCount(piece.tensor.shape.slice(1)));
  return stored.offset === 0 ? rows : rows.map((value) => value + stored.offset);
}

/** Rows in pairs come in whole heads. */
function inStoredOrder<R extends Rows>(stored: StoredTensor, piece: Piece, rows: R, rowSize: number): R {
  const pairs = pairsOf(stored, piece);
  return pairs ? toPairs(rows, pairs, rowSize) : rows;
}
