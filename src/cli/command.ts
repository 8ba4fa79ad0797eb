// A command is data: its flags, its help and one function that runs it on a library handed in.
import type * as z from "zod";
import type { CompareEvent } from "../events/compare.ts";
import type { CurveEvent } from "../events/curve.ts";
import type { EvalEvent } from "../events/eval.ts";
import type { GeneratedToken } from "../events/generate.ts";
import type { PruneEvent } from "../events/prune.ts";
import type { CompareJob } from "../node/compare.ts";
import type { CurveOptions } from "../options/curve.ts";
import type { EvalOptions } from "../options/eval.ts";
import type { GenerateOptions } from "../options/generate.ts";
import type { CalibrationText, GivenPruneOptions } from "../options/prune.ts";
import type { Inspection } from "../tasks/inspect.ts";
import type { Screen } from "./screen.ts";

/** What the commands need of the library; library.ts provides the real one, tests a small one. */
export interface Library {
  prune(model: string, output: PruneOutput, options: GivenPruneOptions, signal: AbortSignal): AsyncIterable<PruneEvent>;
  curve(model: string, options: CurveOptions, signal: AbortSignal): AsyncIterable<CurveEvent>;
  compare(job: CompareJob, signal: AbortSignal): AsyncIterable<CompareEvent>;
  inspect(model: string): Promise<Inspection>;
  /** `dense` is the path of the model to compare with. */
  evaluate(
    model: string,
    text: CalibrationText,
    dense: string | undefined,
    options: EvalOptions,
    signal: AbortSignal,
  ): AsyncIterable<EvalEvent>;
  generate(model: string, options: GenerateOptions, signal: AbortSignal): AsyncIterable<GeneratedToken>;
}

export interface PruneOutput {
  readonly path: string;
  /** Replace what stands there. */
  readonly overwrite: boolean;
}

export interface CommandContext {
  readonly library: Library;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly flags: z.ZodObject;
  readonly examples: readonly string[];
  /** `flags` have been checked by the schema above. */
  // biome-ignore lint/suspicious/noExplicitAny: each command declares the type that its own schema yields
  run(model: string, flags: any, context: CommandContext): Promise<void>;
}
