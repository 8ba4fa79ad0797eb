// A writer that takes the tensors of a model by their names and puts their rows where a file stores them.
import type { TensorWriter } from "../../checkpoint/tensor-writer.ts";
import { elementCount } from "../../compute/tensor.ts";
import { toPairs } from "./rotary-pairs.ts";
import { type Place, pairsOf, placesByName, type StoredTensor } from "./stored-tensors.ts";

/** Wraps the writer of the stored tensors. */
export function storingWriter(writer: TensorWriter, stored: readonly StoredTensor[]): TensorWriter {
  const places = placesByName(stored);
  const transposed = new Map<StoredTensor, TransposedTensor>();
  const placesOf = (name: string): readonly Place[] => {
    const found = places.get(name);
    if (found === undefined) throw new RangeError(`tensor "${name}" has no place in the file`);
    return found;
  };
  /** Rows from `startRow` on of what lies at a place. */
  const put = async (place: Place, startRow: number, values: Float32Array): Promise<void> => {
    const { stored: target, piece } = place;
    const rows = asStored(place, values);
    if (!target.transposed) return writer.writeRows(target.name, piece.at + startRow, rows);
    const whole = transposed.get(target) ?? new TransposedTensor(target);
    transposed.set(target, whole);
    if (!whole.put(piece.at + startRow, rows)) return;
    transposed.delete(target);
    await writer.write(target.name, whole.values);
  };
  const writeRows = async (name: string, startRow: number, values: Float32Array): Promise<void> => {
    for (const place of placesOf(name)) {
      const { start, end, tensor } = place.piece;
      const rowSize = elementCount(tensor.shape.slice(1));
      const [from, to] = [Math.max(startRow, start), Math.min(startRow + values.length / rowSize, end)];
      if (from < to)
        await put(place, from - start, values.subarray((from - startRow) * rowSize, (to - startRow) * rowSize));
    }
  };
  return { write: (name, values) => writeRows(name, 0, values), writeRows, finish: () => writer.finish() };
}

/** Rows in their stored order, with what is added to them. Rows in pairs come in whole heads. */
function asStored({ stored, piece }: Place, values: Float32Array): Float32Array {
  const pairs = pairsOf(stored, piece);
  const rows = pairs ? toPairs(values, pairs, elementCount(piece.tensor.shape.slice(1))) : values;
  return stored.offset === 0 ? rows : rows.map((value) => value + stored.offset);
}

/** A transposed matrix, which can be written once all its columns are there. */
class TransposedTensor {
  readonly values: Float32Array;
  readonly #inputs: number;
  readonly #outputs: number;
  #missing: number;

  constructor({ shape }: StoredTensor) {
    const [inputs, outputs] = shape as [number, number];
    this.values = new Float32Array(inputs * outputs);
    this.#inputs = inputs;
    this.#outputs = outputs;
    this.#missing = outputs;
  }

  /** Takes columns as rows, [count, inputs], the first of which is column `at`; tells whether all are there. */
  put(at: number, rows: Float32Array): boolean {
    const count = rows.length / this.#inputs;
    for (let row = 0; row < count; row++)
      for (let i = 0; i < this.#inputs; i++) this.values[i * this.#outputs + at + row] = rows[row * this.#inputs + i]!;
    this.#missing -= count;
    return this.#missing === 0;
  }
}
