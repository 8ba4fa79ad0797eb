// A command is data: its flags, its help and one function that runs it on a library handed in.
import type * as z from "zod";
import type { Screen } from "./screen.ts";

/** What the commands need of the library: its public functions, loaded when one runs; tests provide small ones. */
export type Library = typeof import("../index.ts");

export interface CommandContext {
  readonly library: Library;
  readonly screen: Screen;
  readonly signal: AbortSignal;
  /** Models after the first. */
  readonly others: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly flags: z.ZodObject;
  /** How many models it is about; `run` gets "" where there is none. Default 1. */
  readonly models?: 0 | 1 | 2;
  readonly examples: readonly string[];
  /** Whether its result is more than what it prints. */
  readonly writesFiles?: boolean;
  /** `flags` have been checked by the schema above. */
  // biome-ignore lint/suspicious/noExplicitAny: each command declares the type that its own schema yields
  run(model: string, flags: any, context: CommandContext): Promise<void>;
}
