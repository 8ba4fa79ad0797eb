// The methods by name: each is one row of choices, which explicit options override.

import type { ExpertCriterionName } from "../importance/experts/index.ts";
import type { CriterionName } from "../importance/index.ts";
import type { RecoveryName } from "../recover/index.ts";

export interface Preset {
  readonly criterion: CriterionName;
  readonly recovery: RecoveryName;
  /** How much each layer gives: all the same, by loss, or by one ranking of all neurons. */
  readonly allocation: "even" | "loss" | "global";
  /** How many of the first and of the last layers keep all that they have. */
  readonly spare: readonly [first: number, last: number];
  /** The stage that removes whole layers, before any neuron goes; 0: there is none. */
  readonly layers: "auto" | "half" | "only" | 0;
  /** What of whole experts goes: none; as many as what is to go takes. */
  readonly experts: "only" | 0;
  /** What decides which. */
  readonly expertCriterion: ExpertCriterionName;
  /** Share of the windows that the model writes itself beside given texts. */
  readonly ownText: number;
  /** What the method's authors cut. */
  readonly cuts: "mlp" | "mlp+attention" | "layers" | "experts";
}

const PLAIN = {
  recovery: "none",
  allocation: "even",
  spare: [0, 0],
  layers: 0,
  experts: 0,
  expertCriterion: "reroute",
  ownText: 0,
  cuts: "mlp+attention",
} as const;

const EXPERTS = { ...PLAIN, criterion: "obs", experts: "only", cuts: "experts" } as const;

/** docs/methods.md tells where each comes from and how far it is the authors' own. */
export const presets = {
  best: { ...PLAIN, criterion: "loss", recovery: "dense-target", layers: "auto", ownText: 0.5, cuts: "mlp" },
  osscar: { ...PLAIN, criterion: "obs", recovery: "least-squares" },
  "wanda-sp": { ...PLAIN, criterion: "wanda" },
  flap: { ...PLAIN, criterion: "fluctuation", recovery: "bias", allocation: "global" },
  "llm-pruner": { ...PLAIN, criterion: "taylor", spare: [4, 2] },
  shortgpt: { ...PLAIN, criterion: "obs", layers: "only", cuts: "layers" },
  "comp-paper": { ...PLAIN, criterion: "condition", recovery: "mask", layers: "half" },
  magnitude: { ...PLAIN, criterion: "magnitude" },
  random: { ...PLAIN, criterion: "random" },
  frequency: { ...EXPERTS, expertCriterion: "frequency" },
  ean: { ...EXPERTS, expertCriterion: "ean" },
  reap: { ...EXPERTS, expertCriterion: "reap" },
  man: { ...EXPERTS, expertCriterion: "man" },
  msan: { ...EXPERTS, expertCriterion: "msan" },
} satisfies Record<string, Preset>;

export type PresetName = keyof typeof presets;
