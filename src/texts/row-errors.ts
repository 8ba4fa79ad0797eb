// What is wrong with a row or a table, on one line that names what is there instead.
import { CompError } from "../errors.ts";

/** Enough to recognise a data set by; one line has to hold them. */
const MAX_NAMES = 8;
const MAX_NAME_LENGTH = 40;

/** The error for a row that holds no document. */
export const badRow = (place: string, what: string): CompError =>
  new CompError("calibration", `${place} ${what}`, {
    hint: 'a row is {"text": "..."} or {"messages": [{"role": "...", "content": "..."}]}; a file named .txt is taken as it is',
  });

/** The error for a table of which no column is `text`. */
export const noTextColumn = (name: string, columns: readonly string[]): CompError =>
  new CompError("calibration", `${name} has no column named text; its columns are ${listNames(columns)}`, {
    hint: "rename the column that holds the text to text",
  });

/** Names of fields on one line, as many as fit. */
export function listNames(names: readonly string[]): string {
  if (names.length === 0) return "nothing";
  const shown = names.slice(0, MAX_NAMES).map((name) => name.replace(/[\s\p{Cc}]+/gu, " ").slice(0, MAX_NAME_LENGTH));
  return names.length > MAX_NAMES ? `${shown.join(", ")} and ${names.length - MAX_NAMES} more` : shown.join(", ");
}
