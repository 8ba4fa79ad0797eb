// CSV (RFC 4180) with a header: fields may be quoted, and a quoted one may hold separators, line breaks and doubled quotes.
import { CompError } from "../errors.ts";
import { noTextColumn } from "./row-errors.ts";
import { documentOf } from "./rows.ts";

/** Comma first; spreadsheets write semicolons where the comma is the decimal mark, and tabs into a .tsv. */
const SEPARATORS = [",", ";", "\t"] as const;

interface CsvRow {
  readonly fields: string[];
  /** Where it begins, from 1. */
  readonly line: number;
}

/** The column `text` of a table. @throws {CompError} "calibration" when there is none, or naming the bad line */
export function csvDocuments(text: string, name: string): string[] {
  const table = text.replace(/\r\n?/g, "\n");
  if (table.trim() === "") return [];
  const { separator, columns } = readHeader(table, name);
  const column = columns.indexOf("text");
  if (column < 0) throw noTextColumn(name, columns);
  const reader = new CsvReader(table, separator, name);
  reader.next(); // the header
  const documents: string[] = [];
  for (let row = reader.next(); row !== undefined; row = reader.next()) {
    const { fields, line } = row;
    if (fields.length !== columns.length)
      throw badCsv(name, line, `has ${fields.length} fields, the header ${columns.length}`);
    documents.push(documentOf({ text: fields[column] }, `${name}, line ${line}`));
  }
  return documents;
}

interface Header {
  readonly separator: string;
  readonly columns: readonly string[];
}

/** Splits the header by the separator that shows a column `text`, or else the most columns. */
function readHeader(table: string, name: string): Header {
  const headers = SEPARATORS.flatMap((separator) => {
    const header = splitHeader(table, separator, name);
    return header instanceof CompError ? [] : [header];
  });
  const [first, ...others] = headers;
  if (first === undefined) throw splitHeader(table, ",", name);
  const widest = others.reduce((best, next) => (next.columns.length > best.columns.length ? next : best), first);
  return headers.find(({ columns }) => columns.includes("text")) ?? widest;
}

/** The error where quoted names are not separated so. */
function splitHeader(table: string, separator: string, name: string): Header | CompError {
  try {
    const { fields = [] } = new CsvReader(table, separator, name).next() ?? {};
    return { separator, columns: fields.map((field) => field.trim()) };
  } catch (error) {
    if (error instanceof CompError) return error;
    throw error;
  }
}

const badCsv = (name: string, line: number, what: string): CompError =>
  new CompError("calibration", `${name}, line ${line} ${what}`, {
    hint: 'a field with separators, line breaks or quotation marks in it is quoted, its own quotation marks doubled: "a ""b"" c"',
  });

/** Rows of a table whose lines end in "\n"; blank lines are none. */
class CsvReader {
  readonly #text: string;
  readonly #separator: string;
  readonly #name: string;
  #at = 0;
  #line = 1;

  constructor(text: string, separator: string, name: string) {
    this.#text = text;
    this.#separator = separator;
    this.#name = name;
  }

  next(): CsvRow | undefined {
    for (; this.#text[this.#at] === "\n"; this.#at++) this.#line++;
    if (this.#at >= this.#text.length) return undefined;
    const line = this.#line;
    const fields = [this.#readField()];
    while (this.#text[this.#at] === this.#separator) {
      this.#at++;
      fields.push(this.#readField());
    }
    return { fields, line };
  }

  #readField(): string {
    return this.#text[this.#at] === '"' ? this.#readQuoted() : this.#readBare();
  }

  #readBare(): string {
    const start = this.#at;
    while (!this.#isAtEnd()) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #readQuoted(): string {
    const begin = this.#line;
    const start = this.#at + 1;
    let end = this.#text.indexOf('"', start);
    while (end >= 0 && this.#text[end + 1] === '"') end = this.#text.indexOf('"', end + 2);
    if (end < 0) throw badCsv(this.#name, begin, "opens a quotation mark that nothing closes");
    const field = this.#text.slice(start, end);
    this.#line += field.split("\n").length - 1;
    this.#at = end + 1;
    if (!this.#isAtEnd()) throw badCsv(this.#name, this.#line, "goes on after a closing quotation mark");
    return field.replaceAll('""', '"');
  }

  /** Whether a field ends here. */
  #isAtEnd(): boolean {
    const character = this.#text[this.#at];
    return character === undefined || character === "\n" || character === this.#separator;
  }
}
