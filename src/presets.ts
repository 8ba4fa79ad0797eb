// The methods by name: each is one row of choices, which explicit options override.
import { CompError } from "./errors.ts";
import {
  type Allocation,
  type Criterion,
  type GivenPruneOptions,
  type PresetName,
  PruneOptions,
  parseOptions,
  type Recovery,
} from "./options.ts";

export interface Preset {
  readonly criterion: Criterion;
  readonly recovery: Recovery;
  /** How much each layer gives. */
  readonly allocation: Allocation;
  /** How many of the first and of the last layers keep all that they have. */
  readonly spare: readonly [first: number, last: number];
  /** The stage that removes whole layers, before any neuron goes; 0: there is none. */
  readonly layers: "auto" | "half" | "only" | 0;
  /** What the method's authors cut. */
  readonly cuts: "mlp" | "mlp+attention" | "layers";
}

const PLAIN = { recovery: "none", allocation: "even", spare: [0, 0], layers: 0, cuts: "mlp+attention" } as const;

/** docs/methods.md tells where each comes from and how far it is the authors' own. */
export const presets: Readonly<Record<PresetName, Preset>> = {
  best: { ...PLAIN, criterion: "loss", recovery: "dense-target", layers: "auto", cuts: "mlp" },
  osscar: { ...PLAIN, criterion: "obs", recovery: "least-squares" },
  "wanda-sp": { ...PLAIN, criterion: "wanda" },
  flap: { ...PLAIN, criterion: "fluctuation", recovery: "bias", allocation: "global" },
  "llm-pruner": { ...PLAIN, criterion: "taylor", spare: [4, 2] },
  shortgpt: { ...PLAIN, criterion: "obs", layers: "only", cuts: "layers" },
  "comp-paper": { ...PLAIN, criterion: "condition", recovery: "mask", layers: "half" },
  magnitude: { ...PLAIN, criterion: "magnitude" },
  random: { ...PLAIN, criterion: "random" },
};

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
    criterion: given.criterion ?? preset.criterion,
    recovery: given.recovery ?? preset.recovery,
    layers: given.layers ?? layersOf(given, preset),
    ...widthsOf(given, preset),
  };
}

function layersOf({ preset: name, prune }: GivenPruneOptions, { layers, cuts }: Preset): PruneOptions["layers"] {
  if (prune === undefined) return layers;
  if (cuts !== "layers") return 0;
  throw new CompError("option", `--preset ${name} removes whole layers, --prune ${prune} leaves them all`, {
    hint: "leave --prune out",
  });
}

/** Where `widths` is given it decides what the other two leave open; where it is not it follows from them, if anything does. */
function widthsOf(given: GivenPruneOptions, preset: Preset): Pick<PruneOptions, "widths" | "allocation" | "spare"> {
  const { widths } = given;
  const spare = given.spare ?? (widths === "equal" ? [0, 0] : preset.spare);
  const spares = spare.some((count) => count > 0);
  const allocation = given.allocation ?? (widths === "equal" ? "even" : preset.allocation);
  if (allocation !== "even" || spares) {
    if (widths !== "equal") return { widths: "per-layer", allocation, spare };
    throw conflict(given, allocation);
  }
  if (given.allocation === undefined && widths !== "equal") return { widths, allocation: "loss", spare };
  if (widths === "per-layer") throw conflict(given, allocation);
  return { widths: "equal", allocation, spare };
}

function conflict({ widths, spare, ...given }: GivenPruneOptions, allocation: Allocation): CompError {
  const choice = given.allocation === undefined && spare ? `--spare ${spare.join(",")}` : `--allocation ${allocation}`;
  return new CompError("option", `--widths ${widths} does not go with ${choice}`, { hint: "leave one of them out" });
}
