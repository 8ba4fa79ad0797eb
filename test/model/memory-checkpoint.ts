// A checkpoint in memory, so that tests can say in a few lines what it holds.
import type { Checkpoint, MetadataValue, TensorInfo } from "../../src/checkpoint/checkpoint.ts";

export interface MemoryTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A GGUF checkpoint when `metadata` is given, else a folder with `config` as its config.json. */
export function memoryCheckpoint(
  tensors: Readonly<Record<string, MemoryTensor>>,
  { config, metadata }: { config?: unknown; metadata?: Readonly<Record<string, MetadataValue>> },
): Checkpoint {
  const infos = Object.entries(tensors).map(
    ([name, { shape, data }]): TensorInfo => ({ name, shape, dtype: "F32", byteLength: 4 * data.length }),
  );
  const rows = (name: string, start: number, end: number): Float32Array => {
    const { shape, data } = tensors[name]!;
    const rowSize = data.length / shape[0]!;
    return data.slice(start * rowSize, end * rowSize);
  };
  return {
    format: metadata === undefined ? "safetensors" : "gguf",
    name: metadata === undefined ? "folder" : "model.gguf",
    tensors: new Map(infos.map((info) => [info.name, info])),
    metadata: new Map(Object.entries(metadata ?? {})),
    read: async (name) => rows(name, 0, tensors[name]!.shape[0]!),
    readMetadata: async (key) => {
      throw new Error(`no stored form of ${key}`);
    },
    readRows: async (name, start, end) => rows(name, start, end),
    readRowBytes: async (name, start, end) => new Uint8Array(rows(name, start, end).buffer),
    readText: async (file) => (file === "config.json" && config !== undefined ? JSON.stringify(config) : undefined),
    files: [],
    fingerprint: async () => "",
    close: async () => {},
  };
}

/** Tensors whose elements are all different: a wrong row or a wrong tensor must show. */
export function countingTensors(shapes: Readonly<Record<string, readonly number[]>>): Record<string, MemoryTensor> {
  let next = 0;
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const size = shape.reduce((product, length) => product * length, 1);
      return [name, { shape, data: Float32Array.from({ length: size }, () => next++) }];
    }),
  );
}
