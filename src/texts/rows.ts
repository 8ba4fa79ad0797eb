// One row of a table or of JSON Lines → one document: its `text`, or its `messages`.
import { renderMessages } from "./messages.ts";
import { badRow, listNames } from "./row-errors.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** One row as it stands. */
export interface Row {
  readonly fields: Fields;
  /** File and line or row, for errors. */
  readonly place: string;
}

/** The fields that hold a document; others are not guessed, since a wrong guess would calibrate on something else. */
export const DOCUMENT_FIELDS: readonly string[] = ["text", "messages"];

/**
 * The document of a row. One that is null is empty, as an empty cell of a CSV is.
 *
 * @param place file and line or row, for errors
 * @throws {CompError} "calibration" when there is neither text nor messages, or not of their type
 */
export function documentOf(fields: Fields, place: string): string {
  const { text, messages } = fields;
  if (typeof text === "string") return text;
  if (Array.isArray(messages)) return renderMessages(messages, place);
  if (text !== null && text !== undefined) throw badRow(place, "has a text that is not a string");
  if (messages !== null && messages !== undefined) throw badRow(place, "has messages that are not a list");
  if (text === null || messages === null) return "";
  throw badRow(place, `has neither text nor messages; it has ${listNames(Object.keys(fields))}`);
}
