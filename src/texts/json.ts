// JSON Lines, or JSON: an array of rows, or one row over several lines. What a file holds decides, not which of their names it has.
import { CompError } from "../errors.ts";
import { badRow } from "./row-errors.ts";
import { documentOf, type Fields, type Row } from "./rows.ts";

/** @throws {CompError} "calibration" naming the bad row: `name`, and its line, or its number in an array */
export const jsonDocuments = (text: string, name: string): string[] =>
  jsonRows(text, name).map(({ fields, place }) => documentOf(fields, place));

/** The rows, whatever is in them. @throws {CompError} "calibration" naming one that is not an object */
export function jsonRows(text: string, name: string): Row[] {
  if (/^\s*\[/.test(text)) return parseArray(text, name).map((row, i) => rowOf(row, `${name}, row ${i + 1}`));
  const lines = text.split("\n");
  const first = lines.find(isFilled);
  if (first !== undefined && parse(first) === undefined) {
    const whole = parse(text);
    if (whole !== undefined) return [rowOf(whole, name)];
  }
  return lines.flatMap((line, i) => (isFilled(line) ? [rowOf(parse(line), `${name}, line ${i + 1}`)] : []));
}

const isFilled = (line: string): boolean => line.trim() !== "";

function rowOf(row: unknown, place: string): Row {
  if (typeof row === "object" && row !== null && !Array.isArray(row)) return { fields: row as Fields, place };
  throw badRow(place, "is not a JSON object");
}

/** undefined where it is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseArray(text: string, name: string): unknown[] {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CompError("calibration", `${name}${lineOf(cause as SyntaxError, text)} is not valid JSON`, {
      hint: "an array must be whole; with one row a line (JSON Lines) there are no brackets around the rows",
      cause,
    });
  }
}

/** Where the parser stopped, as far as it says. */
function lineOf({ message }: SyntaxError, text: string): string {
  const position = /position (\d+)/.exec(message)?.[1];
  return position === undefined ? "" : `, line ${text.slice(0, Number(position)).split("\n").length}`;
}
