// How a run goes on where one like it was killed: what that has found out before its sweep is kept, then how far the sweep is, and
// the hidden states behind its last layer.
import type { Decision } from "../allocation/decide.ts";
import type { CalibrationSummary } from "../events/common.ts";
import type { PruneResult } from "../events/prune.ts";
import type { HiddenStates } from "../forward/run/hidden-states.ts";
import type { StoredArray } from "../forward/run/scratch.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { LayerIndex } from "../model/spec/layer-index.ts";
import type { Sublayer } from "../model/spec/roles.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import type { SublayerSensitivity } from "../prune/gather-statistics.ts";
import type { Sensitivities, SweepStates } from "../prune/prune-layer.ts";
import type { SweepCourse, SweepStand } from "../prune/sweep.ts";
import type { Host, Journal } from "../run-context.ts";
import { VERSION } from "../version.ts";
import type { Job } from "./prepare.ts";

/** Bytes of hidden states that all of a sweep writes: behind every layer where they are small, else behind every so many. */
const STATES_BYTES = 400e6;

/** However large they are, no more work than this is lost. */
const MOST_SECONDS_LOST = 300;

/** What goes, and what was tried to find it. */
export interface ChosenCut extends Pick<PruneResult, "trials" | "splits"> {
  readonly decision: Decision;
}

/** What a run has found out before its sweep. */
export interface Preparation {
  readonly summary: CalibrationSummary;
  /** Calibration windows. */
  readonly windows: TokenWindows;
  readonly heldOut: TokenWindows;
  readonly sensitivities: Sensitivities;
  readonly chosen: ChosenCut;
}

export interface RunRecord extends Omit<Preparation, "sensitivities"> {
  /** The names of what backward sweeps have found. */
  readonly sensitivities: readonly SensitivityName[];
  readonly sweep?: (SweepStand & { readonly folder: string }) | undefined;
  /** That have been spent. */
  readonly seconds: number;
}

interface SensitivityName {
  readonly index: LayerIndex;
  readonly sublayer: Sublayer;
  readonly kind: keyof SublayerSensitivity;
}

const SENSITIVITIES = "sensitivities";
const STATES = ["states-a", "states-b"] as const;

/** Opens what a run keeps, where there may be the work of another; undefined where the host keeps nothing. */
export async function openKeptRun({ model, options, format }: Job, host: Host): Promise<KeptRun | undefined> {
  const source = await model.checkpoint.fingerprint();
  const key = { version: VERSION, source, options: JSON.stringify([options, format]) };
  const journal = await host.openJournal?.<RunRecord>(key);
  return journal && new KeptRun(journal, host);
}

/** The work of a run, kept beside its output. */
export class KeptRun {
  readonly #journal: Journal<RunRecord>;
  readonly #host: Pick<Host, "now" | "freeBytes">;
  #record: RunRecord | undefined;
  readonly #start: number;
  #keptAt: { readonly next: number; readonly seconds: number };

  constructor(journal: Journal<RunRecord>, host: Pick<Host, "now" | "freeBytes">) {
    this.#journal = journal;
    this.#host = host;
    this.#record = journal.found;
    this.#start = host.now() - (journal.found?.seconds ?? 0);
    this.#keptAt = { next: journal.found?.sweep?.next ?? 0, seconds: host.now() };
  }

  /** What one should know of it. */
  get warnings(): string[] {
    const { discarded } = this.#journal;
    return discarded === undefined ? [] : [`the work of an interrupted run is thrown away: ${discarded}`];
  }

  /** Whether it goes on with the work of another. */
  get isContinued(): boolean {
    return this.#journal.found !== undefined;
  }

  /** Layers of the source that earlier runs are done with. */
  get done(): number {
    return this.#record?.sweep?.next ?? 0;
  }

  /** That this run and those before it have spent. */
  get seconds(): number {
    return this.#host.now() - this.#start;
  }

  /** What an earlier run has found out; undefined where there was none. */
  async preparation(): Promise<Preparation | undefined> {
    if (this.#record === undefined) return undefined;
    const { sensitivities, summary, windows, heldOut, chosen } = this.#record;
    const found = new Map<LayerIndex, Record<Sublayer, Record<string, StoredArray>>>();
    for (const name of sensitivities) {
      const ofLayer = found.get(name.index) ?? { attention: {}, mlp: {} };
      ofLayer[name.sublayer][name.kind] = await this.#journal.get(pathOf(name));
      found.set(name.index, ofLayer);
    }
    return { summary, windows, heldOut, chosen, sensitivities: found };
  }

  /** Keeps what has been found out. */
  async prepared({ sensitivities, ...preparation }: Preparation): Promise<void> {
    if (this.#record !== undefined) return; // as an earlier run has
    const names: SensitivityName[] = [];
    for (const [index, ofLayer] of sensitivities)
      for (const sublayer of ["attention", "mlp"] as const)
        for (const kind of ["fisherFactor", "weights"] as const) {
          const stored = ofLayer[sublayer]?.[kind];
          if (stored === undefined) continue;
          await this.#journal.put(pathOf({ index, sublayer, kind }), await stored.read());
          names.push({ index, sublayer, kind });
        }
    this.#record = { ...preparation, sensitivities: names, seconds: this.seconds };
    await this.#journal.keep(this.#record);
  }

  /**
   * How the sweep goes on, and what it keeps.
   *
   * @param flush makes what is written of the layers outlive the machine
   */
  course(spec: DecoderSpec, flush: () => Promise<void>): SweepCourse {
    const sweep = this.#record?.sweep;
    return {
      from: sweep && { ...sweep, restore: (states) => this.#restore(sweep.folder, states) },
      keep: async (stand, states) => {
        if (!(await this.#isDue(stand, this.#bytesOf(states, spec), spec.layers.length))) return;
        await flush();
        await this.#keep(stand, states);
      },
    };
  }

  #bytesOf({ dense }: SweepStates, { hiddenSize }: DecoderSpec): number {
    const { windows, heldOut } = this.#record!;
    return 4 * hiddenSize * ((dense ? 2 : 1) * windows.ids.length + heldOut.ids.length);
  }

  async #isDue({ next }: SweepStand, bytes: number, layers: number): Promise<boolean> {
    const { next: last, seconds } = this.#keptAt;
    const isSmall = (layers / (next - last)) * bytes <= STATES_BYTES;
    if (!isSmall && this.#host.now() - seconds < MOST_SECONDS_LOST) return false;
    const free = await this.#host.freeBytes();
    return free === undefined || free > 2 * bytes; // the output needs room too
  }

  async #keep(stand: SweepStand, states: SweepStates): Promise<void> {
    const last = this.#record!.sweep?.folder;
    const folder = STATES.find((one) => one !== last)!;
    for (const [name, some] of namedStates(states))
      for (let i = 0; i < some.batchCount; i++)
        await some.read(i, ({ hidden }) => this.#journal.put(`${folder}/${name}-${i}`, hidden.data));
    this.#record = { ...this.#record!, sweep: { ...stand, folder }, seconds: this.seconds };
    await this.#journal.keep(this.#record);
    if (last !== undefined) await this.#journal.drop(last);
    this.#keptAt = { next: stand.next, seconds: this.#host.now() };
  }

  async #restore(folder: string, states: SweepStates): Promise<void> {
    for (const [name, some] of namedStates(states))
      for (let i = 0; i < some.batchCount; i++) {
        const stored = await this.#journal.get(`${folder}/${name}-${i}`);
        await some.update(i, ({ hidden }) => stored.readInto(hidden.data));
      }
  }
}

const pathOf = ({ index, sublayer, kind }: SensitivityName): string => `${SENSITIVITIES}/${index}-${sublayer}-${kind}`;

const namedStates = ({ calibrated, dense, heldOut }: SweepStates): [string, HiddenStates][] => [
  ["calibrated", calibrated],
  ...(dense ? [["dense", dense] as [string, HiddenStates]] : []),
  ["held-out", heldOut],
];
