// JSON of a model's files, which Python may have written: its json module puts Infinity and NaN where JSON has no numbers for them.
// Files are untrusted and may be large: each is gone through once, whatever it holds.
import { CompError } from "../errors.ts";

/** The value of a text. `name` names it in messages. @throws {CompError} "checkpoint" when it is not JSON, saying why as far as that is known */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const [field, number] = notANumber(text) ?? [];
    if (number === undefined) throw new CompError("checkpoint", `${name} is not JSON`, { cause });
    throw new CompError("checkpoint", `${name} gives ${field} as ${number}, which is no number of JSON`, {
      cause,
      hint: "put a number there, or remove the field if the model does not need it",
    });
  }
}

/** A key that the object of a text, which is JSON, gives twice: whoever reads it takes one of the values and drops the other. */
export function keyGivenTwice(text: string): string | undefined {
  const keys = new Set<string>();
  let depth = 0;
  let before = "";
  for (const token of tokensOf(text)) {
    if (token === "{" || token === "[") depth++;
    if (token === "}" || token === "]") depth--;
    if (depth === 1 && token.startsWith('"') && (before === "{" || before === ",")) {
      const key = JSON.parse(token) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
    before = token;
  }
  return undefined;
}

/** The first number that is none, and the string before it, which is its field. */
function notANumber(text: string): [field: string, number: string] | undefined {
  let field = "a value";
  for (const token of tokensOf(text)) {
    if (token.startsWith('"')) field = token.slice(1, -1);
    if (token === "NaN" || token === "Infinity" || token === "-Infinity") return [field, token];
  }
  return undefined;
}

/** Strings with their quotation marks, brackets, commas, colons, and whatever stands between them. */
function* tokensOf(text: string): Generator<string> {
  const word = /[^\s"{}[\],:]+/y;
  for (let at = 0; at < text.length; ) {
    word.lastIndex = at;
    const end = text[at] === '"' ? stringEnd(text, at) : word.test(text) ? word.lastIndex : at + 1;
    const token = text.slice(at, end);
    if (token.trim() !== "") yield token;
    at = end;
  }
}

/** Where a string that begins at `start` ends; a regex would need a stack as long as the string. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return Math.min(at + 1, text.length);
}
