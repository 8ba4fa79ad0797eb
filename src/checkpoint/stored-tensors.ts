// What both formats share once their headers are parsed: tensors with a place in a file, checked, read by range, and
// fingerprinted without reading gigabytes.
import { CompError } from "../errors.ts";
import {
  type Checkpoint,
  elementsOf,
  type MetadataValue,
  rowCountOf,
  rowSizeOf,
  type TensorInfo,
} from "./checkpoint.ts";
import { blockSize, byteLength, decodeInto } from "./dtype.ts";
import { applyScales, type ScaleBlock } from "./scales.ts";
import type { ByteSource, SourceFolder } from "./storage.ts";

/** A tensor's description and where its bytes lie. */
export interface StoredTensor extends TensorInfo {
  readonly source: ByteSource;
  /** Bytes from the start of the source. */
  readonly offset: number;
  /** Of weights in few bits: the tensor of the factors by which its values are read, one for each block. */
  readonly scales?: { readonly tensor: StoredTensor; readonly block: ScaleBlock };
}

/** One file whose header is parsed. */
export interface ParsedFile {
  readonly source: ByteSource;
  /** Where the header ends and tensor data may begin. */
  readonly dataStart: number;
  readonly tensors: readonly StoredTensor[];
}

/** Raw bytes decoded at a time: a gigabyte tensor needs its f32 values and this much more. */
const READ_BYTES = 8 * 2 ** 20;
/** Bytes of each tensor that are fingerprinted: fine-tuned siblings have the same headers and differ only in values. */
const SAMPLE_BYTES = 256;

/**
 * Checks that the tensors of one file lie within it and nowhere overlap.
 * @throws {CompError} "checkpoint" naming the file, with expected and actual size when it is cut short.
 */
export function checkLayout(source: ByteSource, dataStart: number, tensors: readonly StoredTensor[]): void {
  const sorted = [...tensors].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let previous: StoredTensor | undefined;
  for (const tensor of sorted) {
    const free = previous === undefined ? dataStart : previous.offset + previous.byteLength;
    if (tensor.offset < free)
      throw new CompError(
        "checkpoint",
        `${source.name} is damaged: tensor "${tensor.name}" overlaps ${previous ? `"${previous.name}"` : "the header"}`,
      );
    previous = tensor;
  }
  const expected = previous === undefined ? 0 : previous.offset + previous.byteLength;
  if (expected > source.size)
    throw new CompError(
      "checkpoint",
      `${source.name} is cut short: its header describes ${expected} bytes, the file has ${source.size}`,
      { hint: "download or copy it again" },
    );
}

/** All tensors by name. @throws {CompError} "checkpoint" when two files, or one twice, hold the same name. */
function indexTensors(files: readonly ParsedFile[]): Map<string, StoredTensor> {
  const index = new Map<string, StoredTensor>();
  for (const tensor of files.flatMap((file) => file.tensors)) {
    const twin = index.get(tensor.name);
    if (twin !== undefined)
      throw new CompError(
        "checkpoint",
        `tensor "${tensor.name}" is in ${twin.source.name} and again in ${tensor.source.name}`,
      );
    index.set(tensor.name, tensor);
  }
  return index;
}

interface CheckpointParts {
  format: Checkpoint["format"];
  name: string;
  files: readonly string[];
  folder?: SourceFolder;
  parsed: readonly ParsedFile[];
  metadata: ReadonlyMap<string, MetadataValue>;
  /** Where the stored form of each metadata value lies in the first file. */
  metadataRanges: ReadonlyMap<string, readonly [start: number, end: number]>;
  readText: Checkpoint["readText"];
}

/** A checkpoint over parsed files; closing it closes their sources. */
export function storedCheckpoint({ parsed, metadataRanges, ...parts }: CheckpointParts): Checkpoint {
  const tensors = indexTensors(parsed);
  const find = (name: string): StoredTensor => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new CompError("checkpoint", `${parts.name} has no tensor "${name}"`);
    return tensor;
  };
  return {
    ...parts,
    tensors,
    readMetadata: async (key) => {
      const range = metadataRanges.get(key);
      if (range === undefined) throw new CompError("checkpoint", `${parts.name} has no metadata "${key}"`);
      return parsed[0]!.source.read(...range);
    },
    read: async (name) => readElements(find(name), 0, elementsOf(find(name).shape)),
    readRows: async (name, start, end) => readRows(find(name), start, end),
    readRowBytes: async (name, start, end) => readRowBytes(find(name), start, end),
    fingerprint: () => fingerprint(parsed),
    close: async () => {
      await Promise.all(parsed.map((file) => file.source.close()));
    },
  };
}

async function readRows(tensor: StoredTensor, start: number, end: number): Promise<Float32Array> {
  const rowSize = checkedRowSize(tensor, start, end);
  return readElements(tensor, start * rowSize, end * rowSize);
}

async function readRowBytes(tensor: StoredTensor, start: number, end: number): Promise<Uint8Array> {
  const rowBytes = byteLength(tensor.dtype, checkedRowSize(tensor, start, end));
  return tensor.source.read(tensor.offset + start * rowBytes, tensor.offset + end * rowBytes);
}

/** Elements of a row. @throws {RangeError} when the tensor does not have the rows */
function checkedRowSize({ name, shape }: StoredTensor, start: number, end: number): number {
  if (!(0 <= start && start <= end && end <= rowCountOf(shape)))
    throw new RangeError(`rows ${start} to ${end} of "${name}" [${shape.join(", ")}]`);
  return rowSizeOf(shape);
}

/** Elements [start, end) as f32; both are multiples of the block size. */
async function readElements(tensor: StoredTensor, start: number, end: number): Promise<Float32Array> {
  const out = new Float32Array(end - start);
  const { dtype } = tensor;
  const step = Math.floor(READ_BYTES / byteLength(dtype, blockSize(dtype))) * blockSize(dtype);
  for (let at = start; at < end; at += step) {
    const stop = Math.min(at + step, end);
    const from = tensor.offset + byteLength(dtype, at);
    const bytes = await tensor.source.read(from, tensor.offset + byteLength(dtype, stop));
    decodeInto(dtype, bytes, out.subarray(at - start, stop - start));
  }
  if (tensor.scales !== undefined) {
    const { tensor: stored, block } = tensor.scales;
    applyScales(out, start, tensor.shape.at(-1) ?? 1, await readElements(stored, 0, elementsOf(stored.shape)), block);
  }
  return out;
}

/** SHA-256, hex, over each file's header and size and the first 256 bytes of every tensor; file names do not count. */
async function fingerprint(files: readonly ParsedFile[]): Promise<string> {
  const parts: Uint8Array[] = [];
  for (const { source, dataStart, tensors } of files) {
    parts.push(await sha256(await source.read(0, dataStart)));
    parts.push(new Uint8Array(new Float64Array([source.size]).buffer));
    for (const { offset, byteLength } of tensors)
      parts.push(await source.read(offset, offset + Math.min(byteLength, SAMPLE_BYTES)));
  }
  return toHex(await sha256(concatenate(parts)));
}

const sha256 = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));

const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
