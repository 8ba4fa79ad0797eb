// argv ↔ a schema of options: parses flags strictly and renders their help. Ranges and defaults are the schema's.
import { parseArgs } from "node:util";
import type * as z from "zod";
import { CompError } from "../errors.ts";
import { type OptionProperty, optionsOf, parseOptions } from "../options/schema.ts";
import { unknownWord } from "./misspelt.ts";

const HELP_COLUMN = 24;

/** maxShardSize → --max-shard-size */
export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/**
 * Parses argv by one schema.
 *
 * @throws {CompError} "option" for an unknown flag (the hint names the nearest), a missing or superfluous value, a flag
 *   given twice, a wrong type or a value out of range
 */
export function parseFlags<S extends z.ZodObject>(
  schema: S,
  argv: readonly string[],
): { positionals: string[]; options: z.output<S> } {
  const flags = new Map(optionsOf(schema).map(([name, property]) => [flagOf(name), { name, property }]));
  const names = new Set(
    [...flags].flatMap(
      ([
        flag,
        {
          property: { short },
        },
      ]) => (short ? [flag, `-${short}`] : [flag]),
    ),
  );
  const positionals: string[] = [];
  const input: Record<string, unknown> = {};
  for (const token of tokenize(argv, [...flags.values()])) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = flags.get(`--${token.name}`);
    if (flag === undefined)
      throw unknownWord("flag", token.rawName, { words: [...flags.keys()], otherwise: "--help lists the flags" });
    const isOther = token.inlineValue === false && isFlag(token.value, names);
    const value = readValue(token.rawName, flag.property, token.value, isOther);
    if (flag.property.type === "array" && !Array.isArray(value))
      input[flag.name] = [...((input[flag.name] as unknown[]) ?? []), value];
    else if (flag.name in input) throw new CompError("option", `${token.rawName} was given twice`);
    else input[flag.name] = value;
  }
  return { positionals, options: parseOptions(schema, input, flagOf) };
}

/** One help line per flag: name, choices or placeholder, meaning, default. */
export function renderFlags(schema: z.ZodObject): string {
  const rows = optionsOf(schema).map(([name, property]) => {
    const short = property.short === undefined ? "" : `-${property.short}, `;
    return [`${short}${flagOf(name)}${placeholderOf(property)}`, `${property.description}${defaultOf(property)}`];
  });
  return rows.map(([flag, meaning]) => `  ${flag!.padEnd(HELP_COLUMN)}${gap(flag!)}${meaning}`).join("\n");
}

/** A flag too long for its column has its meaning on the next line. */
const gap = (flag: string): string => (flag.length > HELP_COLUMN ? `\n${" ".repeat(HELP_COLUMN + 4)}` : "  ");

function tokenize(argv: readonly string[], flags: readonly { name: string; property: OptionProperty }[]) {
  const definitions = flags.map(({ name, property }) => {
    const type = property.type === "boolean" ? ("boolean" as const) : ("string" as const);
    return [flagOf(name).slice(2), property.short === undefined ? { type } : { type, short: property.short }] as const;
  });
  const options = Object.fromEntries(definitions);
  return parseArgs({ args: [...argv], options, allowPositionals: true, strict: false, tokens: true }).tokens;
}

function readValue(flag: string, property: OptionProperty, text: string | undefined, isOther: boolean): unknown {
  if (property.type === "boolean") {
    if (text !== undefined) throw new CompError("option", `${flag} takes no value, got ${text}`);
    return true;
  }
  if (text === undefined || isOther) throw withoutValue(flag, property, text);
  const forms = [property, ...(property.anyOf ?? [])];
  const isList = isNumber(property.items) || (NUMBERS.test(text) && forms.some(({ items }) => isNumber(items)));
  if (isList) return readNumbers(text);
  return isNumber(property) && isNumeric(text) ? Number(text) : text;
}

function withoutValue(flag: string, property: OptionProperty, next: string | undefined): CompError {
  const { type, enum: choices } = property.type === "array" ? (property.items ?? {}) : property;
  const isText = type === "string" && choices === undefined;
  const literally = `${flag.startsWith("--") ? `${flag}=` : flag}${next}`;
  const hint = isText && next !== undefined ? `if ${next} is its value, write ${literally}` : exampleOf(flag, property);
  return new CompError("option", `${flag} needs a value`, { hint });
}

/**
 * Whether what stands in the place of a value is a flag instead: one of the command's, or a word after two dashes, more likely
 * a misspelt flag than a text. Other text may begin with a dash: "-5 degrees", "-- he said".
 */
const isFlag = (text: string, names: ReadonlySet<string>): boolean =>
  text === "--" || names.has(text.split("=", 1)[0]!) || /^--[a-z][\w-]*(=.*)?$/is.test(text);

/** Whether an option takes a number, be it beside other forms. */
const isNumber = (property: OptionProperty | undefined): boolean =>
  property?.type === "number" || property?.type === "integer" || (property?.anyOf ?? []).some(isNumber);

/** A list of numbers or percentages, if only of one: "3," */
const NUMBERS = /^[\d., %]*,[\d., %]*$/;

/** "0.1,0.2" → numbers; a part that is none, such as a percentage, stays as it is, for the schema to read or to refuse. */
const readNumbers = (text: string): unknown[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => (isNumeric(part) ? Number(part) : part));

const isNumeric = (text: string): boolean => text.trim() !== "" && Number.isFinite(Number(text));

function placeholderOf(property: OptionProperty): string {
  if (property.type === "boolean") return "";
  return ` ${property.value ?? property.enum?.join("|") ?? (property.type === "string" ? "TEXT" : "N")}`;
}

function defaultOf(property: OptionProperty): string {
  const value = property.fallback ?? property.default;
  const none = value === undefined || value === false || String(value) === "";
  return none ? "" : ` (default ${value})`;
}

function exampleOf(flag: string, property: OptionProperty): string {
  const isOpen = property.default === undefined || property.default === "";
  return `for example ${flag}${isOpen ? placeholderOf(property) : ` ${property.default}`}`;
}
