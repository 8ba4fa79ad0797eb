// A conversation, as the interfaces of chat services write it → plain text: the words matter to the statistics, not a family's
// markup.
import { badRow, listNames } from "./row-errors.ts";

interface Message {
  readonly role?: unknown;
  readonly content?: unknown;
  readonly tool_calls?: unknown;
  /** What tool_calls replaced; older data has it. */
  readonly function_call?: unknown;
}

/**
 * "role: content" for each turn, a blank line between two. A turn that says nothing (its content is null) is left out.
 *
 * @throws {CompError} "calibration" when a message is not an object, or its content neither text, nor a list of parts, nor null
 */
export function renderMessages(messages: readonly unknown[], place: string): string {
  return messages.flatMap((message) => renderMessage(requireMessage(message, place), place)).join("\n\n");
}

function requireMessage(message: unknown, place: string): Message {
  if (message === null) throw badRow(place, "has a message that is null");
  if (typeof message !== "object" || Array.isArray(message)) throw badRow(place, "has a message that is not an object");
  return message;
}

function renderMessage(message: Message, place: string): string[] {
  const pieces = [...contentPieces(message, place), ...callPieces(message)];
  if (pieces.length === 0) return [];
  const said = pieces.join("\n");
  return [typeof message.role === "string" ? `${message.role}: ${said}` : said];
}

function contentPieces(message: Message, place: string): string[] {
  const { content } = message;
  if (typeof content === "string") return [content];
  if (Array.isArray(content)) return content.flatMap(partText);
  if (content === null || callPieces(message).length > 0) return [];
  if (content === undefined)
    throw badRow(place, `has a message without content; it has ${listNames(Object.keys(message))}`);
  throw badRow(place, "has a message whose content is not text");
}

/** Images, sounds and files are not text. */
function partText(part: unknown): string[] {
  if (typeof part === "string") return [part];
  const text = part === null ? undefined : (part as { text?: unknown }).text;
  return typeof text === "string" ? [text] : [];
}

/** "name(arguments)" for each call of a tool. */
function callPieces({ tool_calls: calls, function_call: call }: Message): string[] {
  return [...(Array.isArray(calls) ? calls : []), call].flatMap((one: Call | null | undefined) => {
    const { name, arguments: given } = one?.function ?? one ?? {};
    return typeof name === "string" ? [`${name}(${renderArguments(given)})`] : [];
  });
}

interface Call {
  readonly function?: Call | null;
  readonly name?: unknown;
  readonly arguments?: unknown;
}

function renderArguments(given: unknown): string {
  if (typeof given === "string") return given;
  // whole numbers of Parquet are bigints, which JSON does not know
  return JSON.stringify(given ?? {}, (_, value) => (typeof value === "bigint" ? Number(value) : value));
}
