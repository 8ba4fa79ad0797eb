// What every task does with its schema: list the options for flags and help, and check what is given.
import * as z from "zod";
import { CompError } from "../errors.ts";

/** What a schema says of one option, as JSON Schema with our own `value` (placeholder), `fallback`, `expected`, `percentage`, `short`. */
export interface OptionProperty {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly OptionProperty[];
  readonly items?: OptionProperty;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly description?: string;
  readonly default?: unknown;
  readonly value?: string;
  readonly fallback?: string;
  readonly expected?: string;
  /** Whether a fraction may be given as a percentage. */
  readonly percentage?: boolean;
  readonly short?: string;
}

/** The names of a table's rows, for an option that takes one of them. */
export const namesOf = <Name extends string>(table: Readonly<Record<Name, unknown>>): [Name, ...Name[]] =>
  Object.keys(table) as [Name, ...Name[]];

/** The options of a schema in the order in which it declares them. */
export const optionsOf = (schema: z.ZodObject): [name: string, property: OptionProperty][] =>
  Object.entries(z.toJSONSchema(schema, { io: "input" }).properties as Record<string, OptionProperty>);

/**
 * Checks and completes options by their schema.
 *
 * @param label how a message names an option; the command line passes its spelling of flags
 * @throws {CompError} "option", in plain words: "sparsity must be between 0 and 0.95, got 1.5"
 */
export function parseOptions<S extends z.ZodObject>(
  schema: S,
  input: object,
  label = (name: string): string => name,
): z.output<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  if (issue.code === "unrecognized_keys") throw new CompError("option", `there is no option ${label(issue.keys[0]!)}`);
  const name = String(issue.path[0]);
  const property = optionsOf(schema).find(([known]) => known === name)?.[1] ?? {};
  const value = (input as Record<string, unknown>)[name];
  if (value === undefined) throw new CompError("option", `${label(name)} is missing`);
  const message = `${label(name)} must be ${expectationOf(property)}, got ${renderValue(value)}`;
  throw new CompError("option", message, hintOf(property, value));
}

/** How a percentage is written, where a number was given that must be one. */
function hintOf(property: OptionProperty, value: unknown): { hint?: string } {
  if (Array.isArray(value) && property.items !== undefined)
    return value.map((item) => hintOf(property.items!, item)).find(({ hint }) => hint !== undefined) ?? {};
  if (property.percentage !== true || typeof value !== "number" || !(value > 1 && value <= 100)) return {};
  return { hint: `for ${value} percent write ${value}% or ${Number(`${value}e-2`)}` };
}

function expectationOf(property: OptionProperty): string {
  if (property.expected !== undefined) return property.expected;
  if (property.enum !== undefined) return `one of ${property.enum.join(", ")}`;
  if (property.type !== "number" && property.type !== "integer") return `a ${property.type ?? "valid value"}`;
  const kind = property.type === "integer" ? "a whole number " : "";
  return `${kind}between ${property.minimum} and ${property.maximum}`;
}

function renderValue(value: unknown): string {
  if (typeof value === "string") return value;
  const isList = Array.isArray(value) && value.every((item) => typeof item !== "object");
  return isList ? value.join(",") : JSON.stringify(value);
}
