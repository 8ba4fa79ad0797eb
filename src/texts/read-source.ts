// A file of any kind that holds text → a text with its documents. What the bytes are decides, where the name says something else.
import { type ByteSource, baseName } from "../checkpoint/storage.ts";
import { CompError } from "../errors.ts";
import type { CalibrationText } from "../options/prune.ts";
import { decodeText } from "./decode.ts";
import { formatOf, MAX_TEXT_BYTES, readDocuments, tooLarge } from "./documents.ts";
import { parquetDocuments } from "./parquet.ts";
import { gunzip, isGzip, isParquet, refuseForeign, SIGNATURE_BYTES } from "./signatures.ts";

/**
 * Plain text, JSON (Lines) and CSV in UTF-8 or UTF-16, and Parquet; any of them packed by gzip. Errors have the source's name,
 * the text the last part of it.
 *
 * @throws {CompError} "calibration" when it is none of these, is damaged or too large, or naming the row that holds no text
 */
export async function readSource(source: ByteSource): Promise<CalibrationText> {
  if (!isGzip(await readStart(source))) return readUnpacked(source);
  const { name } = source;
  return readUnpacked(memorySource(name, await gunzip(await readWhole(source), name)));
}

async function readUnpacked(source: ByteSource): Promise<CalibrationText> {
  const start = await readStart(source);
  const name = baseName(source.name);
  if (isParquet(start)) return { name, text: await parquetDocuments(source) };
  refuseForeign(start, source.name);
  if (/\.parquet(\.gz)?$/i.test(name)) throw new CompError("calibration", `${source.name} is not a Parquet file`);
  const text = decodeText(await readWhole(source), source.name);
  return { name, text: formatOf(name) === "plain" ? text : readDocuments({ name: source.name, text }) };
}

const readStart = (source: ByteSource): Promise<Uint8Array> => source.read(0, Math.min(SIGNATURE_BYTES, source.size));

async function readWhole(source: ByteSource): Promise<Uint8Array<ArrayBuffer>> {
  if (source.size > MAX_TEXT_BYTES) throw tooLarge(source.name);
  return new Uint8Array(await source.read(0, source.size));
}

const memorySource = (name: string, bytes: Uint8Array): ByteSource => ({
  name,
  size: bytes.length,
  read: async (start, end) => bytes.subarray(start, end),
  close: async () => {},
});
