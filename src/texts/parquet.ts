// Parquet: the columns `text` and `messages` of a table, read by row groups, whatever else and however much it holds; or all of it.
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import type { ByteSource } from "../checkpoint/storage.ts";
import { CompError } from "../errors.ts";
import { MAX_TEXT_BYTES, tooLarge } from "./documents.ts";
import { noTextColumn } from "./row-errors.ts";
import { DOCUMENT_FIELDS, documentOf, type Row } from "./rows.ts";

/**
 * The documents of a table.
 *
 * @throws {CompError} "calibration" when it is damaged, has neither column, holds more text than we read, or naming the bad row
 */
export async function parquetDocuments(source: ByteSource): Promise<string[]> {
  try {
    const { names, ...table } = await openTable(source);
    const columns = DOCUMENT_FIELDS.filter((field) => names.includes(field));
    if (columns.length === 0) throw noTextColumn(source.name, names);
    if (storedBytes(table.metadata, columns) > MAX_TEXT_BYTES) throw tooLarge(source.name);
    return await readRowGroups(source.name, { ...table, columns });
  } catch (cause) {
    throw unreadableTable(source.name, cause);
  }
}

/** The rows of a table with all columns. @throws {CompError} "calibration" when it is damaged or holds more than we read */
export async function parquetRows(source: ByteSource): Promise<Row[]> {
  try {
    const { names, ...table } = await openTable(source);
    if (storedBytes(table.metadata, names) > MAX_TEXT_BYTES) throw tooLarge(source.name);
    const rows = await parquetReadObjects({ ...table, compressors });
    return rows.map((fields, i) => ({ fields, place: `${source.name}, row ${i + 1}` }));
  } catch (cause) {
    throw unreadableTable(source.name, cause);
  }
}

async function openTable(source: ByteSource): Promise<Omit<Table, "columns"> & { readonly names: string[] }> {
  const file = asyncBuffer(source);
  const metadata = await parquetMetadataAsync(file);
  return { file, metadata, names: parquetSchema(metadata).children.map(({ element }) => element.name) };
}

function unreadableTable(name: string, cause: unknown): CompError {
  if (cause instanceof CompError) return cause;
  const [why] = String((cause as Error).message ?? cause).split("\n", 1);
  return new CompError("calibration", `${name} cannot be read as a Parquet file: ${why}`, {
    hint: "download or write it again; JSON Lines and CSV are read as well",
    cause,
  });
}

interface Table {
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly columns: string[];
}

async function readRowGroups(name: string, table: Table): Promise<string[]> {
  const documents: string[] = [];
  let length = 0;
  for (const group of table.metadata.row_groups) {
    const rowStart = documents.length;
    const rowEnd = rowStart + Number(group.num_rows);
    for (const row of await parquetReadObjects({ ...table, rowStart, rowEnd, compressors })) {
      const fields = Object.fromEntries(table.columns.map((column) => [column, row[column] ?? null]));
      const document = documentOf(fields, `${name}, row ${documents.length + 1}`);
      length += document.length;
      if (length > MAX_TEXT_BYTES) throw tooLarge(name); // a dictionary names a long text by one number
      documents.push(document);
    }
  }
  return documents;
}

/** What the header says of the size of columns, bytes before compression. */
const storedBytes = ({ row_groups: groups }: FileMetaData, columns: readonly string[]): number =>
  groups
    .flatMap((group) => group.columns.flatMap(({ meta_data: column }) => column ?? []))
    .filter(({ path_in_schema: [top] }) => columns.includes(top!))
    .reduce((sum, column) => sum + Number(column.total_uncompressed_size), 0);

const asyncBuffer = (source: ByteSource): AsyncBuffer => ({
  byteLength: source.size,
  slice: async (start, end = source.size) => {
    const bytes = await source.read(Math.max(0, start), Math.min(end, source.size));
    return bytes.slice().buffer;
  },
});
