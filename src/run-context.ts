// What a run is given: the machine that it runs on, and what all its steps share.
import type { Cache } from "./cache/cache.ts";
import type { Checkpoint } from "./checkpoint/checkpoint.ts";
import type { Output } from "./checkpoint/storage.ts";
import type { Backend } from "./compute/backend.ts";
import { backendGemm } from "./compute/gemm.ts";
import type { RunEvent } from "./events/prune.ts";
import type { Scratch, StoredArray } from "./forward/run/scratch.ts";
import type { Gemm } from "./linalg/gemm.ts";
import type { CalibrationText } from "./options/prune.ts";

/** The machine, as far as a run that writes nothing needs it. */
export interface SweepHost {
  readonly backend: Backend;
  /** Of what is to be written: a folder of safetensors, or a GGUF file. */
  readonly outputFormat: Checkpoint["format"];
  /** Space for what a run needs again but must not hold; as much of it as is given may be memory. */
  createScratch(residentBytes: number): Scratch;
  /** What earlier runs have found out about models. */
  readonly cache: Cache;
  /** Free space where the output goes, bytes; undefined when unknown. */
  freeBytes(): Promise<number | undefined>;
  /** The same of scratch space. */
  freeScratchBytes(): Promise<number | undefined>;
  bundledText(): Promise<CalibrationText>;
  /** Of the processor, for reports. */
  readonly cores: number;
  /** Memory that nothing uses, bytes. */
  freeMemoryBytes(): number;
  /** Gives back the memory of arrays no longer in use: the matrices of one layer are large, and the next ones must not add to them. */
  collectGarbage(): void;
  residentBytes(): number;
  peakBytes(): number;
  /** A clock in seconds. */
  now(): number;
  readonly signal?: AbortSignal | undefined;
}

/** The machine, for a run that writes. */
export interface Host extends SweepHost {
  /** Called when there is something to write: not by a dry run, and not for what is refused before. */
  createOutput(course?: OutputCourse): Promise<Output>;
  /** Opens what outlives this process beside the output, and throws away what another run has left there; absent where nothing is kept. */
  openJournal?: (<Kept>(key: RunKey) => Promise<Journal<Kept>>) | undefined;
}

/** How an output begins that is to outlive this process should it be killed. */
export interface OutputCourse {
  /** Whether with what the run has written that has left the journal. */
  readonly continues: boolean;
}

/** What has to be alike for a run to go on with the work of another. */
export interface RunKey {
  /** Of this program. */
  readonly version: string;
  readonly source: string;
  readonly options: string;
}

/** What a run keeps beside its unfinished output, so that another can go on where it is killed. It goes when the output is done. */
export interface Journal<Kept> {
  /** What a run with the same key has kept last. */
  readonly found: Kept | undefined;
  /** Why work that was found is of no use and is thrown away. */
  readonly discarded: string | undefined;
  /** Puts a record in the place of the last one: at any instant one of the two is there, whole. */
  keep(record: Kept): Promise<void>;
  /** Stores an array under a name, "folder/name". */
  put(name: string, data: Float32Array): Promise<void>;
  get(name: string): Promise<StoredArray>;
  /** Removes the arrays of a folder. */
  drop(folder: string): Promise<void>;
}

/** What phases may keep in memory beside what they cannot do without, bytes; each phase has the memory to itself, but for `aside`. */
export interface MemoryShares {
  /** Whether a layer is held as a whole while it is pruned; else its parts, and the sums over what passes, are read when they are needed. */
  readonly wholeLayers: boolean;
  /** Hidden states of all calibration windows, each stream of them. */
  readonly states: number;
  /** What is put aside, before any of it goes to the disk. */
  readonly aside: number;
  /** Whether the model writes text of its own: with all its weights in memory, or reading them anew for each token. */
  readonly ownText: "held" | "read" | "none";
  /** All weights as f32, while they are held for that. */
  readonly weights: number;
  /** Keys and values of the samples that it then writes together. */
  readonly caches: number;
}

/** What the steps of a run share. */
export interface RunContext {
  readonly backend: Backend;
  readonly gemm: Gemm;
  readonly scratch: Scratch;
  readonly cache: Cache;
  readonly memory: MemoryShares;
  /** Tells whoever listens how far the run is; nothing waits for them. */
  report(event: RunEvent): void;
  collectGarbage(): void;
  residentBytes(): number;
  /** A clock in seconds. */
  now(): number;
  readonly signal: AbortSignal | undefined;
}

/** Starts a run on a machine; its scratch space is the caller's to clear. */
export function startRun(host: SweepHost, memory: MemoryShares, report: RunContext["report"]): RunContext {
  const { backend, signal } = host;
  return {
    backend,
    gemm: backendGemm(backend),
    scratch: host.createScratch(memory.aside),
    cache: host.cache,
    memory,
    report,
    collectGarbage: () => host.collectGarbage(),
    residentBytes: () => host.residentBytes(),
    now: () => host.now(),
    signal,
  };
}
