// What is told of the speed of models.
import type { StageEvent } from "./common.ts";

export type BenchEvent =
  | StageEvent
  /** One measurement, as it is made. */
  | ({ readonly type: "measurement"; readonly model: string; readonly engine: EngineName } & Speed)
  | { readonly type: "done"; readonly result: BenchResult };

export type EngineName = "comp" | "llama.cpp";

/** One measurement of a model in a process of its own. */
export interface Speed {
  /** Tokens of the prompt, per second. */
  readonly prefill: number;
  /** Generated tokens, per second. */
  readonly decode: number;
  /** Of the process, the engine itself included. */
  readonly peakBytes: number;
}

/** Two models side by side. */
export interface BenchResult {
  /** First and second. */
  readonly models: readonly [BenchedModel, BenchedModel];
  readonly promptTokens: number;
  readonly tokens: number;
  readonly threads: number;
  readonly engines: readonly EngineResult[];
  /** Engines that were not asked, and why. */
  readonly left: readonly { readonly engine: EngineName; readonly reason: string }[];
  readonly seconds: number;
}

export interface BenchedModel {
  readonly model: string;
  /** Of all weights in its files. */
  readonly bytes: number;
}

export interface EngineResult {
  readonly engine: EngineName;
  /** Of the first and of the second model, each repetition. */
  readonly speeds: readonly [readonly Speed[], readonly Speed[]];
  /** The second model by the first, repetition by repetition. */
  readonly ratios: Readonly<Record<keyof Speed, Spread>>;
}

/** Of a figure over all repetitions. */
export interface Spread {
  readonly least: number;
  readonly median: number;
  readonly most: number;
}
