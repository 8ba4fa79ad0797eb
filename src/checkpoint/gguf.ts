// Opens a GGUF file, versions 2 and 3: metadata and tensor descriptions under their raw GGUF names.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import { CompError, describeValue } from "../errors.ts";
import { type Checkpoint, elementsOf, type MetadataValue } from "./checkpoint.ts";
import { blockSize, byteLength, type Dtype } from "./dtype.ts";
import { checkMagic, checkVersion, checkWhole } from "./gguf-kind.ts";
import { checkParts, checkPartsPresent, partFiles } from "./gguf-split.ts";
import { GgufReader, NeedMoreBytes } from "./gguf-values.ts";
import { checkNoPointer } from "./lfs-pointer.ts";
import { type ByteSource, baseName, type SourceFolder } from "./storage.ts";
import { checkLayout, type ParsedFile, type StoredTensor, storedCheckpoint } from "./stored-tensors.ts";

/** ggml's GGML_MAX_DIMS. */
const MAX_DIMENSIONS = 4;
/** Headers are read in growing pieces: most vocabularies fit the second. */
const FIRST_READ_BYTES = 2 ** 20;
const GROWTH = 4;
/** A vocabulary of a million tokens with its merges has some 60 MB. */
const MAX_HEADER_BYTES = 2 ** 28;
export const DEFAULT_ALIGNMENT = 32;
/** Alignments are powers of two, to llama.cpp too, 32 or 64 in practice; beyond a page of memory they would only waste space. */
const MAX_ALIGNMENT = 65536;
/** The smallest entries: a key's length, a value type and one byte; a name's length, dimensions, type and offset. */
const MIN_METADATA_BYTES = 13;
const MIN_TENSOR_BYTES = 24;
/** Models have some dozens of the one and some thousands of the other; each takes many times its bytes in memory. */
const MAX_METADATA = 2 ** 16;
const MAX_TENSORS = 2 ** 18;

/** By the numbers that stand for them in a file. */
export const GGUF_DTYPES: Readonly<Record<number, Dtype>> = {
  0: "F32",
  1: "F16",
  2: "Q4_0",
  3: "Q4_1",
  6: "Q5_0",
  7: "Q5_1",
  8: "Q8_0",
  10: "Q2_K",
  11: "Q3_K",
  12: "Q4_K",
  13: "Q5_K",
  14: "Q6_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  29: "IQ1_M",
  30: "BF16",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
  40: "NVFP4",
};
/** Types of ggml that no weights are stored in, so that the error can name them. */
const UNSUPPORTED: Readonly<Record<number, string>> = {
  9: "Q8_1",
  15: "Q8_K",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
};

/**
 * The checkpoint that a GGUF file holds, or that all parts hold of which it is one; it owns the source from here on.
 *
 * @param folder where the file lies, and the other parts of a split one
 * @throws {CompError} "checkpoint" when it is not GGUF, damaged, lacks parts, or holds tensors of an unsupported type.
 */
export async function openGguf(source: ByteSource, folder?: SourceFolder): Promise<Checkpoint> {
  const sources = [source];
  try {
    const parts = await parseParts(await parseGguf(source), folder, sources);
    const { source: first, metadata, metadataRanges } = parts[0]!;
    return storedCheckpoint({
      format: "gguf",
      name: first.name,
      files: parts.map((part) => part.source.name),
      parsed: parts,
      metadata,
      metadataRanges,
      readText: async () => undefined,
    });
  } catch (error) {
    await Promise.all(sources.map((opened) => opened.close()));
    throw error;
  }
}

/** All parts of the model that `named` is a part of, the first part first; those that are opened are added to `sources`. */
async function parseParts(
  named: ParsedGguf,
  folder: SourceFolder | undefined,
  sources: ByteSource[],
): Promise<ParsedGguf[]> {
  const files = partFiles(named);
  if (files === undefined) return [named];
  const own = baseName(named.source.name);
  checkPartsPresent(named.source.name, files, (await folder?.list()) ?? [own]);
  const parts: ParsedGguf[] = [];
  for (const file of files) {
    if (file === own) parts.push(named);
    else {
      const source = await folder!.open(file);
      sources.push(source);
      parts.push(await parseGguf(source));
    }
  }
  checkParts(parts);
  return parts;
}

interface Metadata {
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  readonly metadataRanges: ReadonlyMap<string, readonly [start: number, end: number]>;
}

type ParsedGguf = ParsedFile & Metadata;

async function parseGguf(source: ByteSource): Promise<ParsedGguf> {
  await checkNoPointer(source);
  for (let length = FIRST_READ_BYTES; ; length *= GROWTH) {
    const bytes = await source.read(0, Math.min(length, source.size));
    try {
      return parseHeader(source, new GgufReader(source.name, bytes, source.size));
    } catch (error) {
      if (!(error instanceof NeedMoreBytes)) throw error;
    }
    if (length >= source.size)
      throw new CompError(
        "checkpoint",
        `${source.name} is cut short: its header goes beyond its ${source.size} bytes`,
        {
          hint: "download or copy it again",
        },
      );
    if (length >= MAX_HEADER_BYTES)
      throw new CompError("checkpoint", `${source.name} is damaged: its header is larger than ${length} bytes`);
  }
}

function parseHeader(source: ByteSource, reader: GgufReader): ParsedGguf {
  checkMagic(source.name, source.size < 4 ? undefined : reader.uint32());
  checkVersion(source.name, reader.uint32());
  const tensorCount = reader.count("tensors", MIN_TENSOR_BYTES, MAX_TENSORS);
  const metadataCount = reader.count("metadata entries", MIN_METADATA_BYTES, MAX_METADATA);
  const { metadata, metadataRanges } = parseMetadata(reader, metadataCount);
  checkWhole(source.name, metadata);
  const alignment = parseAlignment(reader, metadata);
  const described = Array.from({ length: tensorCount }, () => parseTensor(source, reader));
  const dataStart = Math.ceil(reader.position / alignment) * alignment;
  const tensors = described.map((tensor) => {
    if (tensor.offset % alignment !== 0) throw reader.damaged(`tensor "${tensor.name}" is not aligned`);
    return { ...tensor, offset: dataStart + tensor.offset };
  });
  checkLayout(source, dataStart, tensors);
  return { source, dataStart: Math.min(dataStart, source.size), tensors, metadata, metadataRanges };
}

function parseMetadata(reader: GgufReader, count: number): Metadata {
  const metadata = new Map<string, MetadataValue>();
  const metadataRanges = new Map<string, [number, number]>();
  for (let i = 0; i < count; i++) {
    const key = reader.string("a metadata key");
    if (metadata.has(key)) throw reader.damaged(`metadata "${key}" is given twice`);
    const start = reader.position;
    metadata.set(key, reader.value(key));
    metadataRanges.set(key, [start, reader.position]);
  }
  return { metadata, metadataRanges };
}

function parseAlignment(reader: GgufReader, metadata: ReadonlyMap<string, MetadataValue>): number {
  const alignment = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT;
  if (typeof alignment !== "number" || !(alignment <= MAX_ALIGNMENT) || !Number.isInteger(Math.log2(alignment)))
    throw reader.damaged(`general.alignment is ${describeValue(alignment)}`);
  return alignment;
}

/** One tensor, its offset still counted from the start of the data. */
function parseTensor(source: ByteSource, reader: GgufReader): StoredTensor {
  const name = reader.string("a tensor's name");
  const dimensions = reader.uint32();
  if (dimensions > MAX_DIMENSIONS) throw reader.damaged(`tensor "${name}" has ${dimensions} dimensions`);
  // ggml counts the innermost dimension first: [in, out] of a weight.
  const shape = Array.from({ length: dimensions }, () => reader.size(`a dimension of "${name}"`)).reverse();
  const dtype = parseDtype(source, name, reader.uint32());
  const offset = reader.size(`the offset of "${name}"`);
  const elements = elementsOf(shape);
  if (!Number.isSafeInteger(elements) || (shape.at(-1) ?? 1) % blockSize(dtype) !== 0)
    throw reader.damaged(`tensor "${name}" of type ${dtype} cannot have the shape [${shape.join(", ")}]`);
  return { name, shape, dtype, byteLength: byteLength(dtype, elements), source, offset };
}

function parseDtype(source: ByteSource, name: string, type: number): Dtype {
  const dtype = GGUF_DTYPES[type];
  if (dtype !== undefined) return dtype;
  throw new CompError(
    "checkpoint",
    `${source.name}: tensor "${name}" is of type ${UNSUPPORTED[type] ?? type}, which is not supported`,
    { hint: `supported: ${Object.values(GGUF_DTYPES).join(", ")}` },
  );
}
