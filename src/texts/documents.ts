// A text as data → its documents, and the one string that all commands tokenize.
import { CompError } from "../errors.ts";
import type { CalibrationText } from "../options/prune.ts";
import { csvDocuments } from "./csv.ts";
import { jsonDocuments } from "./json.ts";

/** Between two documents, as in the usual evaluation of WikiText: `"\n\n".join(rows["text"])`. */
const BETWEEN_DOCUMENTS = "\n\n";

/** Far more than any calibration draws on, and below the longest string that JavaScript holds. */
export const MAX_TEXT_BYTES = 256e6;

/** The error for more text than we read. */
export const tooLarge = (name: string): CompError =>
  new CompError("calibration", `${name} has more than ${MAX_TEXT_BYTES / 1e6} MB of text`, {
    hint: "give a part of it; some hundred kilobytes suffice",
  });

/** How the characters of a text hold its documents. */
export type TextFormat = "plain" | "json" | "csv";

/** What a name promises; whether the file was packed does not matter. */
export function formatOf(name: string): TextFormat {
  const bare = name.replace(/\.gz$/i, "");
  if (/\.(jsonl|ndjson|json)$/i.test(bare)) return "json";
  return /\.(csv|tsv)$/i.test(bare) ? "csv" : "plain";
}

/**
 * The documents of a text: those that are given one by one; rows of JSON or CSV, where its name says so; else the whole text.
 * Lines end in "\n" whatever they ended in, and a byte order mark is no text.
 *
 * @throws {CompError} "calibration" naming the bad row
 */
export function readDocuments({ name, text }: CalibrationText): string[] {
  const documents = typeof text === "string" ? splitText(name, text.replace(/^\uFEFF/, "")) : text;
  return documents.map((document) => document.replaceAll("\r\n", "\n"));
}

function splitText(name: string, text: string): string[] {
  const format = formatOf(name);
  if (format === "json") return jsonDocuments(text, name);
  return format === "csv" ? csvDocuments(text, name) : [text];
}

/** All documents as one string: what calibration and evaluation tokenize. @throws {CompError} as `readDocuments` */
export const joinDocuments = (text: CalibrationText): string => readDocuments(text).join(BETWEEN_DOCUMENTS);

/**
 * All rows of a data set as one string: its documents; of plain text the lines with their ends, blank ones empty, which makes of a
 * file of WikiText what the hub's data set has.
 *
 * @throws {CompError} as `readDocuments`
 */
export function joinRows(text: CalibrationText): string {
  if (typeof text.text !== "string" || formatOf(text.name) !== "plain") return joinDocuments(text);
  const lines = readDocuments(text)[0]!.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return lines.map((line) => (line.trim() === "" ? "" : line)).join(BETWEEN_DOCUMENTS);
}
