// Parses the header of one safetensors file. It is untrusted: every number in it is checked before use.
// Format: 8 bytes of little-endian length, that much JSON {name: {dtype, shape, data_offsets}}, the data without gaps.
import { CompError } from "../errors.ts";
import { elementsOf } from "./checkpoint.ts";
import { byteLength, type FloatDtype, isFloatDtype } from "./dtype.ts";
import { keyGivenTwice } from "./json.ts";
import { checkNoPointer } from "./lfs-pointer.ts";
import type { ByteSource } from "./storage.ts";
import { checkLayout, type ParsedFile, type StoredTensor } from "./stored-tensors.ts";

const LENGTH_BYTES = 8;
/** The reference implementation's own limit; the largest real headers are a few megabytes. */
const MAX_HEADER_BYTES = 100_000_000;
/** The types of weights in few bits and of their scales, which have no meaning without one another. */
const QUANTIZED_DTYPES = ["F8_E4M3", "F8_E8M0", "U8"] as const;
type QuantizedDtype = (typeof QUANTIZED_DTYPES)[number];
/** Weights have at most 5 dimensions (3-d convolutions); more is damage. */
const MAX_DIMENSIONS = 8;

/**
 * The tensors that one file holds.
 * @throws {CompError} "checkpoint" naming the file and the tensor, when anything in the header is inconsistent.
 */
export async function parseSafetensors(source: ByteSource): Promise<ParsedFile> {
  await checkNoPointer(source);
  const dataStart = LENGTH_BYTES + (await readHeaderLength(source));
  const header = parseJson(source, await source.read(LENGTH_BYTES, dataStart));
  const tensors = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => parseEntry(source, dataStart, name, entry));
  checkLayout(source, dataStart, tensors);
  const described = tensors.reduce((total, tensor) => total + tensor.byteLength, dataStart);
  // Nothing overlaps, so a smaller sum means bytes that no tensor owns, such as bytes appended to the file.
  if (described !== source.size)
    throw damaged(source, `its header describes ${described} bytes, the file has ${source.size}`);
  return { source, dataStart, tensors };
}

const damaged = (source: ByteSource, what: string): CompError =>
  new CompError("checkpoint", `${source.name} is damaged: ${what}`, { hint: "download or copy it again" });

async function readHeaderLength(source: ByteSource): Promise<number> {
  if (source.size < LENGTH_BYTES) throw damaged(source, `it has only ${source.size} bytes`);
  const bytes = await source.read(0, LENGTH_BYTES);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) throw damaged(source, `its header claims to have ${length} bytes`);
  if (Number(length) > source.size - LENGTH_BYTES)
    throw damaged(source, `its header has ${length} bytes, the whole file ${source.size}`);
  return Number(length);
}

function parseJson(source: ByteSource, bytes: Uint8Array): object {
  let header: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (cause) {
    throw new CompError("checkpoint", `${source.name} is not a safetensors file: its header is not JSON`, { cause });
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw damaged(source, "its header is not a JSON object");
  const twice = keyGivenTwice(text);
  if (twice !== undefined) throw damaged(source, `tensor "${twice}" is given twice`);
  return header;
}

function parseEntry(source: ByteSource, dataStart: number, name: string, entry: unknown): StoredTensor {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (typeof dtype !== "string" || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2)
    throw damaged(source, `tensor "${name}" has no proper dtype, shape and offsets`);
  if (shape.length > MAX_DIMENSIONS) throw damaged(source, `tensor "${name}" has ${shape.length} dimensions`);
  if (!isStored(dtype)) throw unsupportedType(source, name, dtype);
  const [begin, end] = offsets as [number, number];
  if (end - begin !== byteLength(dtype, elementsOf(shape)))
    throw damaged(source, `tensor "${name}" is ${dtype} [${shape.join(", ")}] but has ${end - begin} bytes`);
  return { name, shape, dtype, byteLength: end - begin, source, offset: dataStart + begin };
}

/** @returns the error for a tensor whose values nothing tells how to read */
export const unsupportedType = (source: ByteSource, name: string, dtype: string): CompError =>
  new CompError("checkpoint", `${source.name}: tensor "${name}" is of type ${dtype}, which is not supported`, {
    hint: "give a checkpoint in F32, F16 or BF16, or a GGUF file for quantized weights",
  });

const isStored = (dtype: string): dtype is FloatDtype | QuantizedDtype =>
  isFloatDtype(dtype) || QUANTIZED_DTYPES.some((known) => known === dtype);

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
