// JSON of a model's files, which Python may have written: its json module puts Infinity and NaN where JSON has no numbers for them.
import { CompError } from "../errors.ts";

/** A string, or a number that only Python knows. */
const TOKENS = /"((?:[^"\\]|\\.)*)"|-?\bInfinity\b|\bNaN\b/g;

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

/** The first number that is none, and the string before it, which is its field. */
function notANumber(text: string): [field: string, number: string] | undefined {
  let field = "a value";
  for (const [token, string] of text.matchAll(TOKENS)) {
    if (string === undefined) return [field, token];
    field = string;
  }
  return undefined;
}
