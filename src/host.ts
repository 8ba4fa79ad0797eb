// What the method asks of the machine that it runs on.
import type { Checkpoint } from "./checkpoint/checkpoint.ts";
import type { Output } from "./checkpoint/storage.ts";
import type { Backend } from "./compute/backend.ts";
import type { Scratch } from "./forward/run/scratch.ts";
import type { CalibrationText } from "./options/prune.ts";

/** What the method needs of the machine that it runs on. */
export interface Host extends SweepHost {
  /** Called when there is something to write: not by a dry run, and not for what is refused before. */
  createOutput(): Promise<Output>;
}

/** As much of it as a sweep that writes nothing needs. */
export interface SweepHost {
  readonly backend: Backend;
  /** Of what is to be written: a folder of safetensors, or a GGUF file. */
  readonly outputFormat: Checkpoint["format"];
  /** Space for what a sweep needs again but must not hold. */
  createScratch(): Scratch;
  /** Free space where the output goes, bytes; undefined when unknown. */
  freeBytes(): Promise<number | undefined>;
  bundledText(): Promise<CalibrationText>;
  /** Weights held in memory while the model writes its own calibration text take no more than this. */
  readonly residentBudgetBytes: number;
  /** Gives back the memory of arrays no longer in use: the matrices of one layer are large, and the next ones must not add to them. */
  collectGarbage(): void;
  residentBytes(): number;
  peakBytes(): number;
  /** A clock in seconds. */
  now(): number;
  readonly signal?: AbortSignal | undefined;
}
