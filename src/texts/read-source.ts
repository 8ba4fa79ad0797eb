// A file of any kind that holds text → a text with its documents. What the bytes are decides, where the name says something else.
import { type ByteSource, baseName } from "../checkpoint/storage.ts";
import { CompError } from "../errors.ts";
import type { CalibrationText } from "../options/prune.ts";
import { decodeText } from "./decode.ts";
import { formatOf, MAX_TEXT_BYTES, readDocuments, tooLarge } from "./documents.ts";
import { jsonRows } from "./json.ts";
import { parquetDocuments, parquetRows } from "./parquet.ts";
import type { Row } from "./rows.ts";
import { gunzip, isGzip, isParquet, refuseForeign, SIGNATURE_BYTES } from "./signatures.ts";

/**
 * Plain text, JSON (Lines) and CSV in UTF-8 or UTF-16, and Parquet; any of them packed by gzip. Errors have the source's name,
 * the text the last part of it.
 *
 * @throws {CompError} "calibration" when it is none of these, is damaged or too large, or naming the row that holds no text
 */
export async function readSource(packed: ByteSource): Promise<CalibrationText> {
  const source = await unpacked(packed);
  const start = await readStart(source);
  const name = baseName(source.name);
  if (isParquet(start)) return { name, text: await parquetDocuments(source) };
  refuseForeign(start, source.name);
  if (/\.parquet(\.gz)?$/i.test(name)) throw new CompError("calibration", `${source.name} is not a Parquet file`);
  const text = decodeText(await readWhole(source), source.name);
  return { name, text: formatOf(name) === "plain" ? text : readDocuments({ name: source.name, text }) };
}

/** The same file without the packing that its first bytes show. */
async function unpacked(source: ByteSource): Promise<ByteSource> {
  if (!isGzip(await readStart(source))) return source;
  const { name } = source;
  return memorySource(name, await gunzip(await readWhole(source), name));
}

/**
 * The rows of a table with all that is in them: Parquet, JSON (Lines), or columns between tabs under a line of their names, without
 * quotation; any of them packed by gzip.
 *
 * @throws {CompError} "calibration" when it is none of these, is damaged or too large
 */
export async function readRows(packed: ByteSource): Promise<Row[]> {
  const source = await unpacked(packed);
  const start = await readStart(source);
  if (isParquet(start)) return parquetRows(source);
  refuseForeign(start, source.name);
  const text = decodeText(await readWhole(source), source.name).replaceAll("\r\n", "\n");
  return /\.tsv(\.gz)?$/i.test(source.name) ? tabRows(text, source.name) : jsonRows(text, source.name);
}

function tabRows(text: string, name: string): Row[] {
  const [header = "", ...lines] = text.split("\n");
  const columns = header.split("\t");
  return lines.flatMap((line, i) => {
    if (line === "") return [];
    const cells = line.split("\t");
    return [
      { fields: Object.fromEntries(columns.map((column, c) => [column, cells[c]])), place: `${name}, line ${i + 2}` },
    ];
  });
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
