// Calibration files → documents.
import { CompError } from "../errors.ts";
import type { CalibrationText } from "../options/prune.ts";

/** The documents of a text: lines of a `.jsonl`, else the whole text. @throws {CompError} "calibration" naming the bad line */
export function readDocuments({ name, text }: CalibrationText): string[] {
  if (!name.toLowerCase().endsWith(".jsonl")) return [text];
  return text
    .split(/\r?\n/)
    .flatMap((line, i) => (line.trim() === "" ? [] : [readRow(line, `${name}, line ${i + 1}`)]));
}

interface Message {
  readonly role?: unknown;
  readonly content?: unknown;
}

function readRow(line: string, place: string): string {
  const row = parseRow(line, place);
  if (typeof row.text === "string") return row.text;
  if (Array.isArray(row.messages))
    return row.messages.map((message: Message) => renderMessage(message, place)).join("\n\n");
  throw badRow(place, "has neither text nor messages");
}

function parseRow(line: string, place: string): { text?: unknown; messages?: unknown } {
  try {
    const row: unknown = JSON.parse(line);
    if (typeof row === "object" && row !== null) return row;
  } catch {
    // told below
  }
  throw badRow(place, "is not a JSON object");
}

/** A turn as plain text: the words matter to the statistics, not a family's markup. */
function renderMessage({ role, content }: Message, place: string): string {
  if (typeof content !== "string") throw badRow(place, "has a message whose content is not text");
  return typeof role === "string" ? `${role}: ${content}` : content;
}

const badRow = (place: string, what: string): CompError =>
  new CompError("calibration", `${place} ${what}`, {
    hint: 'each line should be {"text": "..."} or {"messages": [{"role": "...", "content": "..."}]}',
  });
