// argv ↔ a schema of options: parses flags strictly and renders their help. Ranges and defaults are the schema's.
import { parseArgs } from "node:util";
import type * as z from "zod";
import { CompError } from "../errors.ts";
import { type OptionProperty, optionsOf, parseOptions } from "../options/schema.ts";
import { nearest } from "./nearest.ts";

const HELP_COLUMN = 24;

/** maxShardSize → --max-shard-size */
export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/**
 * Parses argv by one schema.
 *
 * @throws {CompError} "option" for an unknown flag (the hint names the nearest), a missing or superfluous value, a flag
 *   given twice, a wrong type or a value out of range
 */
export function parseFlags<T>(schema: z.ZodObject, argv: readonly string[]): { positionals: string[]; options: T } {
  const flags = new Map(optionsOf(schema).map(([name, property]) => [flagOf(name), { name, property }]));
  const positionals: string[] = [];
  const input: Record<string, unknown> = {};
  for (const token of tokenize(argv, [...flags.values()])) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = flags.get(`--${token.name}`);
    if (flag === undefined) throw unknownFlag(token.rawName, [...flags.keys()]);
    const value = readValue(token.rawName, flag.property, token.value, token.inlineValue === true);
    if (flag.property.type === "array" && !Array.isArray(value))
      input[flag.name] = [...((input[flag.name] as unknown[]) ?? []), value];
    else if (flag.name in input) throw new CompError("option", `${token.rawName} was given twice`);
    else input[flag.name] = value;
  }
  return { positionals, options: parseOptions<T>(schema, input, flagOf) };
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

function readValue(flag: string, property: OptionProperty, text: string | undefined, inline: boolean): unknown {
  if (property.type === "boolean") {
    if (text !== undefined) throw new CompError("option", `${flag} takes no value, got ${text}`);
    return true;
  }
  const isNextFlag = !inline && text !== undefined && text.startsWith("-") && !isNumeric(text) && text !== "-";
  if (text === undefined || isNextFlag)
    throw new CompError("option", `${flag} needs a value`, { hint: `for example ${flag}${exampleOf(property)}` });
  const forms = [property, ...(property.anyOf ?? [])];
  const isList = isNumber(property.items) || /^[\d., ]*,[\d., ]*$/.test(text);
  if (isList && forms.some(({ items }) => isNumber(items))) return readNumbers(text);
  return forms.some(isNumber) && isNumeric(text) ? Number(text) : text;
}

const isNumber = (property: OptionProperty | undefined): boolean =>
  property?.type === "number" || property?.type === "integer";

/** "0.1,0.2" → numbers; a part that is none stays as it is, for the schema to refuse. */
const readNumbers = (text: string): unknown[] =>
  text
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => (isNumeric(part) ? Number(part) : part));

const isNumeric = (text: string): boolean => text.trim() !== "" && Number.isFinite(Number(text));

function unknownFlag(flag: string, known: readonly string[]): CompError {
  const meant = nearest(flag, known);
  const hint = meant === undefined ? "--help lists the flags" : `did you mean ${meant}?`;
  return new CompError("option", `there is no flag ${flag}`, { hint });
}

function placeholderOf(property: OptionProperty): string {
  if (property.type === "boolean") return "";
  if (property.enum !== undefined) return ` ${property.enum.join("|")}`;
  return ` ${property.value ?? (property.type === "string" ? "TEXT" : "N")}`;
}

function defaultOf(property: OptionProperty): string {
  const value = property.fallback ?? property.default;
  const none = value === undefined || value === false || String(value) === "";
  return none ? "" : ` (default ${value})`;
}

const exampleOf = (property: OptionProperty): string =>
  property.default === undefined || property.default === "" ? placeholderOf(property) : ` ${property.default}`;
