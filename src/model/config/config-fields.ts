// Fields of a model's configuration, which is untrusted: each is checked when it is read.

import { CompError, describeValue } from "../../errors.ts";
import { LIMITS } from "./limits.ts";

/** A parsed config.json. */
export type ModelConfig = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is ModelConfig =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Typed access to a configuration. `source` names it in messages: "config.json" or "its GGUF header". */
export class ConfigFields {
  readonly config: ModelConfig;
  readonly source: string;

  constructor(config: ModelConfig, source: string) {
    this.config = config;
    this.source = source;
  }

  /** The value; null counts as absent, as it does for transformers. */
  get(key: string): unknown {
    return this.config[key] ?? undefined;
  }

  /** A positive integer up to `limit`. @throws {CompError} "checkpoint" when it is missing or anything else. */
  size(key: string, limit: number): number {
    const value = this.required(key);
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= limit) return value;
    throw this.wrong(key, `it must be a positive integer up to ${limit}`);
  }

  /** A positive finite number. @throws {CompError} "checkpoint" */
  positive(key: string): number {
    const value = this.required(key);
    if (typeof value === "number" && value > 0 && value <= LIMITS.number) return value;
    throw this.wrong(key, "it must be a positive number");
  }

  /** A list of positive numbers. @throws {CompError} "checkpoint" */
  numbers(key: string): number[] {
    const value = this.required(key);
    const isNumber = (one: unknown): boolean => typeof one === "number" && one > 0 && one <= LIMITS.number;
    if (Array.isArray(value) && value.every(isNumber)) return value;
    throw this.wrong(key, "it must be a list of positive numbers");
  }

  /** True or false; false when absent. @throws {CompError} "checkpoint" */
  flag(key: string): boolean {
    const value = this.get(key) ?? false;
    if (typeof value === "boolean") return value;
    throw this.wrong(key, "it must be true or false");
  }

  /** A nested object; empty when absent. @throws {CompError} "checkpoint" */
  object(key: string): ConfigFields {
    const value = this.get(key) ?? {};
    if (isObject(value)) return new ConfigFields(value, `${this.source}, in ${key},`);
    throw this.wrong(key, "it must be an object");
  }

  private required(key: string): unknown {
    const value = this.get(key);
    if (value === undefined) throw new CompError("checkpoint", `${this.source} does not give ${key}`);
    return value;
  }

  private wrong(key: string, expected: string): CompError {
    return new CompError("checkpoint", `${this.source} says ${key} is ${describeValue(this.get(key))}; ${expected}`);
  }
}
