// A checkpoint as file formats give it: named tensors, read by range. What the names mean is the concern of src/model/.
import type { Dtype } from "./dtype.ts";
import type { SourceFolder } from "./storage.ts";

export interface TensorInfo {
  readonly name: string;
  readonly shape: readonly number[]; // row-major, outermost first: [out, in] for a weight matrix
  readonly dtype: Dtype;
  readonly byteLength: number;
}

/** Number of elements of a shape; 1 for a scalar. */
export const elementsOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Elements of a row, which runs along the last dimension; those of a vector have one each. */
export const rowSizeOf = (shape: readonly number[]): number => (shape.length > 1 ? shape.at(-1)! : 1);

/** Rows of a tensor: of a stack of matrices those of all of them, one below the other. */
export const rowCountOf = (shape: readonly number[]): number => elementsOf(shape) / Math.max(1, rowSizeOf(shape));

/** Named tensors of a safetensors folder or a GGUF model; headers are read, tensor data is not. */
export interface Checkpoint {
  readonly format: "safetensors" | "gguf";
  /** Path or other name, for messages. */
  readonly name: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Key-value metadata of a GGUF header; empty for safetensors. */
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /**
   * A metadata value exactly as a GGUF file stores it, its type first, so that it can be carried over.
   * @throws {CompError} "checkpoint" when there is no such key.
   */
  readMetadata(key: string): Promise<Uint8Array>;
  /** Whole tensor as f32, row-major. @throws {CompError} "checkpoint" when it does not exist. */
  read(name: string): Promise<Float32Array>;
  /** Rows [start, end) of a tensor as f32, counted as of `rowCountOf`: [end − start, rowSize]. */
  readRows(name: string, start: number, end: number): Promise<Float32Array>;
  /** The same rows as they are stored. @throws {RangeError} when a row does not fill whole blocks of the tensor's type. */
  readRowBytes(name: string, start: number, end: number): Promise<Uint8Array>;
  /** Text of a companion file such as config.json; undefined when there is none (always so for GGUF). */
  readText(file: string): Promise<string | undefined>;
  /** Names of all files of the folder; for GGUF the file itself, or all parts of a split one. */
  readonly files: readonly string[];
  /** Where its files lie; undefined for GGUF. */
  readonly folder?: SourceFolder;
  /** SHA-256, hex, over headers, sizes and the first bytes of every tensor: names the source without reading gigabytes. */
  fingerprint(): Promise<string>;
  close(): Promise<void>;
}

/** 64-bit integers are numbers wherever a number holds them exactly, else bigints. */
export type MetadataValue = string | number | bigint | boolean | MetadataValue[];
