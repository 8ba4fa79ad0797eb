// The methods by name: each is one row of choices, which explicit options override.
import { CompError } from "../errors.ts";
import {
  type Allocation,
  type Criterion,
  type GivenPruneOptions,
  isGated,
  type PresetName,
  PruneOptions,
  type Recovery,
} from "../options/prune.ts";
import { parseOptions } from "../options/schema.ts";

export interface Preset {
  readonly criterion: Criterion;
  readonly recovery: Recovery;
  /** How much each layer gives. */
  readonly allocation: Allocation;
  /** How many of the first and of the last layers keep all that they have. */
  readonly spare: readonly [first: number, last: number];
  /** The stage that removes whole layers, before any neuron goes; 0: there is none. */
  readonly layers: "auto" | "half" | "only" | 0;
  /** Share of the windows that the model writes itself beside given texts. */
  readonly ownText: number;
  /** What the method's authors cut. */
  readonly cuts: "mlp" | "mlp+attention" | "layers";
}

const DEFAULT_SPARSITY = 0.2;

/** What is tried at most where a limit of quality decides. */
const MOST_SPARSITY = 0.5;

const PLAIN = {
  recovery: "none",
  allocation: "even",
  spare: [0, 0],
  layers: 0,
  ownText: 0,
  cuts: "mlp+attention",
} as const;

/** docs/methods.md tells where each comes from and how far it is the authors' own. */
export const presets: Readonly<Record<PresetName, Preset>> = {
  best: { ...PLAIN, criterion: "loss", recovery: "dense-target", layers: "auto", ownText: 0.5, cuts: "mlp" },
  osscar: { ...PLAIN, criterion: "obs", recovery: "least-squares" },
  "wanda-sp": { ...PLAIN, criterion: "wanda" },
  flap: { ...PLAIN, criterion: "fluctuation", recovery: "bias", allocation: "global" },
  "llm-pruner": { ...PLAIN, criterion: "taylor", spare: [4, 2] },
  shortgpt: { ...PLAIN, criterion: "obs", layers: "only", cuts: "layers" },
  "comp-paper": { ...PLAIN, criterion: "condition", recovery: "mask", layers: "half" },
  magnitude: { ...PLAIN, criterion: "magnitude" },
  random: { ...PLAIN, criterion: "random" },
};

/** Whether more than neurons may be cut inside a layer: as asked, else what the preset's authors cut. */
export const cutsAttention = ({ prune, preset }: Pick<PruneOptions, "prune" | "preset">): boolean =>
  prune === undefined ? presets[preset].cuts === "mlp+attention" : prune === "all";

/** Checks and completes options. @throws {CompError} "option" as `parseOptions`, and for choices that exclude each other */
export const pruneOptions = (input: object): PruneOptions =>
  applyPreset(parseOptions<GivenPruneOptions>(PruneOptions, input));

/**
 * Options with every choice that they leave open made by their preset.
 *
 * @throws {CompError} "option" for choices that exclude each other
 */
export function applyPreset(given: GivenPruneOptions): PruneOptions {
  const preset = presets[given.preset];
  return {
    ...given,
    sparsity: given.sparsity ?? (isGated(given) ? MOST_SPARSITY : DEFAULT_SPARSITY),
    criterion: given.criterion ?? preset.criterion,
    recovery: given.recovery ?? preset.recovery,
    layers: given.layers ?? layersOf(given, preset),
    ownText: given.ownText ?? preset.ownText,
    ...widthsOf(given, preset),
  };
}

function layersOf({ preset: name, prune }: GivenPruneOptions, { layers, cuts }: Preset): PruneOptions["layers"] {
  if (prune !== "mlp") return layers;
  if (cuts !== "layers") return 0;
  throw new CompError("option", `--preset ${name} removes whole layers, --prune ${prune} leaves them all`, {
    hint: "leave --prune out",
  });
}

/** `widths` follows from the other two; where it is given it decides what they leave open. */
function widthsOf(given: GivenPruneOptions, preset: Preset): Pick<PruneOptions, "widths" | "allocation" | "spare"> {
  const spare = given.spare ?? (given.widths === "equal" ? [0, 0] : preset.spare);
  const spares = spare.some((count) => count > 0);
  const allocation = given.allocation ?? allocationOf(given, preset, spares);
  const widths = allocation === "even" && !spares ? "equal" : "per-layer";
  const isOpen = given.widths === undefined || given.widths === "auto";
  if (isOpen && comparesLayers(given, preset) && widths === "equal") return { widths: "auto", allocation, spare };
  if (isOpen || given.widths === widths) return { widths, allocation, spare };
  const choice = given.allocation === undefined ? `--spare ${spare.join(",")}` : `--allocation ${allocation}`;
  throw new CompError("option", `--widths ${given.widths} does not go with ${choice}`, {
    hint: "leave one of them out",
  });
}

/** Whether the choice of widths can be left to what the output carries. */
const comparesLayers = ({ criterion, allocation }: GivenPruneOptions, preset: Preset): boolean =>
  (criterion ?? preset.criterion) === "loss" && allocation === undefined;

function allocationOf({ widths }: GivenPruneOptions, preset: Preset, spares: boolean): Allocation {
  if (widths === "equal") return "even";
  return widths === "per-layer" && preset.allocation === "even" && !spares ? "loss" : preset.allocation;
}
