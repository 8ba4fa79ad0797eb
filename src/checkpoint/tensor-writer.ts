// Writes tensors into their places in files, in any order and in any tiles of rows: nothing is kept in memory.
import { CompError } from "../errors.ts";
import { elementsOf, rowSizeOf } from "./checkpoint.ts";
import { byteLength, type Dtype, encode, isWritable, type WritableDtype } from "./dtype.ts";
import { BF16_OVERFLOW, F16_OVERFLOW } from "./float16.ts";
import type { ByteSink } from "./storage.ts";

/** Elements encoded at a time, in whole rows: a gigabyte tensor needs this much more, not twice its size. */
const ENCODE_ELEMENTS = 2 ** 21;
/**
 * The least magnitude that a type cannot hold: of a quantized one the largest level times the largest scale or minimum of a group,
 * times the f16 of a block.
 */
const TOO_LARGE: Readonly<Record<WritableDtype, number>> = {
  F32: Number.POSITIVE_INFINITY,
  F16: F16_OVERFLOW,
  BF16: BF16_OVERFLOW,
  Q8_0: 127 * F16_OVERFLOW,
  Q4_0: 8 * F16_OVERFLOW,
  Q5_0: 16 * F16_OVERFLOW,
  // the minimum is an f16 of its own
  Q4_1: F16_OVERFLOW,
  Q5_1: F16_OVERFLOW,
  Q2_K: 15 * F16_OVERFLOW,
  Q4_K: 63 * F16_OVERFLOW,
  Q5_K: 63 * F16_OVERFLOW,
  Q3_K: 4 * 32 * F16_OVERFLOW,
  Q6_K: 32 * 128 * F16_OVERFLOW,
  // the largest value has the level 113 or −127
  IQ4_NL: 113 * F16_OVERFLOW,
  IQ4_XS: 113 * 32 * F16_OVERFLOW,
};

export interface TensorWriter {
  /**
   * Encodes and writes a whole tensor. `importance` is what an error in each of its columns weighs where it is quantized, positive.
   * @throws {CompError} "numeric" when a value is not finite in the file's type; "output" when the disk refuses.
   */
  write(name: string, values: Float32Array, importance?: Float32Array): Promise<void>;
  /** The same for rows from `startRow` on, counted as of `rowCountOf`, as many as `values` fills. */
  writeRows(name: string, startRow: number, values: Float32Array, importance?: Float32Array): Promise<void>;
  /** The same for rows that are encoded already, in the type of the file. */
  writeRowBytes(name: string, startRow: number, bytes: Uint8Array): Promise<void>;
  /** Takes a whole tensor as written: the run that this one goes on with has done so, and its file was created with what it had. */
  keep(name: string): void;
  /** Checks that every tensor was written fully and closes the files. */
  finish(): Promise<void>;
}

/** A tensor with its place in its file. */
export interface PlacedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** A file whose header is written, and the tensors that belong into it. */
export interface OpenFile {
  readonly sink: ByteSink;
  readonly tensors: readonly PlacedTensor[];
}

/** The writer of the tensors of some files; `finish` closes them. */
export function tensorWriter(files: readonly OpenFile[]): TensorWriter {
  const pending = new Map(
    files.flatMap(({ sink, tensors }) =>
      tensors.map((tensor) => [tensor.name, new PendingTensor(tensor, sink)] as const),
    ),
  );
  const find = (name: string): PendingTensor => {
    const tensor = pending.get(name);
    if (tensor === undefined) throw new RangeError(`tensor "${name}" was not planned`);
    return tensor;
  };
  return {
    write: async (name, values, importance) => find(name).writeAll(values, importance),
    writeRows: async (name, startRow, values, importance) => find(name).writeRows(startRow, values, importance),
    writeRowBytes: async (name, startRow, bytes) => find(name).writeRowBytes(startRow, bytes),
    keep: (name) => find(name).keep(),
    finish: async () => {
      for (const tensor of pending.values()) tensor.checkComplete();
      await Promise.all(files.map(({ sink }) => sink.close()));
    },
  };
}

/** One tensor on its way into its file: which elements have been written. */
class PendingTensor {
  readonly #tensor: PlacedTensor;
  readonly #sink: ByteSink;
  readonly #elements: number;
  readonly #rowSize: number;
  #written: [start: number, end: number][] = [];

  constructor(tensor: PlacedTensor, sink: ByteSink) {
    this.#tensor = tensor;
    this.#sink = sink;
    this.#elements = elementsOf(tensor.shape);
    this.#rowSize = rowSizeOf(tensor.shape);
  }

  async writeAll(values: Float32Array, importance?: Float32Array): Promise<void> {
    if (values.length !== this.#elements) throw this.#misfit(`${values.length} values`);
    await this.#write(0, values, importance);
  }

  async writeRows(startRow: number, values: Float32Array, importance?: Float32Array): Promise<void> {
    const start = startRow * this.#rowSize;
    if (startRow < 0 || values.length % this.#rowSize !== 0 || start + values.length > this.#elements)
      throw this.#misfit(`${values.length} values from row ${startRow}`);
    await this.#write(start, values, importance);
  }

  async writeRowBytes(startRow: number, bytes: Uint8Array): Promise<void> {
    const { dtype, offset, byteLength: whole } = this.#tensor;
    const rowBytes = byteLength(dtype, this.#rowSize);
    const start = startRow * rowBytes;
    if (startRow < 0 || bytes.length % rowBytes !== 0 || start + bytes.length > whole)
      throw this.#misfit(`${bytes.length} bytes from row ${startRow}`);
    this.#claim(startRow * this.#rowSize, (startRow + bytes.length / rowBytes) * this.#rowSize);
    await this.#sink.write(offset + start, bytes);
  }

  keep(): void {
    this.#written = [[0, this.#elements]];
  }

  checkComplete(): void {
    const written = this.#written.reduce((total, [start, end]) => total + end - start, 0);
    if (written !== this.#elements) throw this.#misfit(`${written} of ${this.#elements} values in all`);
  }

  async #write(start: number, values: Float32Array, importance: Float32Array | undefined): Promise<void> {
    const { name, dtype, offset } = this.#tensor;
    if (!isWritable(dtype)) throw this.#misfit(`values, being ${dtype}: only rows that are so already`);
    checkFinite(name, dtype, values);
    this.#claim(start, start + values.length);
    const step = this.#rowSize * Math.max(1, Math.floor(ENCODE_ELEMENTS / this.#rowSize));
    for (let at = 0; at < values.length; at += step) {
      const bytes = encode(dtype, values.subarray(at, at + step), importance);
      await this.#sink.write(offset + byteLength(dtype, start + at), bytes);
    }
  }

  /** Notes elements as written. */
  #claim(start: number, end: number): void {
    if (this.#written.some(([from, to]) => start < to && from < end))
      throw this.#misfit(`values ${start} to ${end} again`);
    this.#written.push([start, end]);
  }

  #misfit(what: string): RangeError {
    return new RangeError(`tensor "${this.#tensor.name}" [${this.#tensor.shape.join(", ")}] cannot take ${what}`);
  }
}

function checkFinite(name: string, dtype: WritableDtype, values: Float32Array): void {
  const limit = TOO_LARGE[dtype];
  const bad = values.findIndex((x) => !(Math.abs(x) < limit));
  if (bad === -1) return;
  const value = values[bad]!;
  if (!Number.isFinite(value))
    throw new CompError("numeric", `tensor "${name}" has the value ${value}`, {
      hint: "the source weights or the calibration text are broken",
    });
  throw new CompError("numeric", `tensor "${name}" has the value ${value}, which ${dtype} cannot hold`, {
    hint: dtype === "F16" ? "write with --dtype bf16 or --dtype f32" : "write with --dtype f32",
  });
}
