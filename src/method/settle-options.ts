// Options with every choice that they leave open made by their preset.
import { CompError } from "../errors.ts";
import { type Preset, presets } from "../options/presets.ts";
import type { PruneOptions, SettledOptions } from "../options/prune.ts";

const DEFAULT_SPARSITY = 0.2;

/** What is tried at most where a limit of quality decides. */
const MOST_SPARSITY = 0.5;

/** Whether a limit of quality decides how much goes. */
export const isLimited = ({ maxKl, maxPerplexityIncrease }: PruneOptions): boolean =>
  maxKl !== undefined || maxPerplexityIncrease !== undefined;

/**
 * Completes options by their preset.
 *
 * @throws {CompError} "option" for choices that exclude each other
 */
export function settleOptions(given: PruneOptions): SettledOptions {
  const preset: Preset = presets[given.preset];
  return {
    ...given,
    sparsity: given.sparsity ?? (isLimited(given) ? MOST_SPARSITY : DEFAULT_SPARSITY),
    criterion: given.criterion ?? preset.criterion,
    recovery: given.recovery ?? preset.recovery,
    layers: given.layers ?? layersOf(given, preset),
    experts: given.experts ?? preset.experts,
    expertCriterion: given.expertCriterion ?? preset.expertCriterion,
    ownText: given.ownText ?? preset.ownText,
    ...widthsOf(given, preset),
  };
}

function layersOf({ preset: name, prune }: PruneOptions, { layers, cuts }: Preset): SettledOptions["layers"] {
  if (prune !== "mlp") return layers;
  if (cuts !== "layers") return 0;
  throw new CompError("option", `--preset ${name} removes whole layers, --prune ${prune} leaves them all`, {
    hint: "leave --prune out",
  });
}

/** `widths` follows from the other two; where it is given it decides what they leave open. */
function widthsOf(given: PruneOptions, preset: Preset): Pick<SettledOptions, "widths" | "allocation" | "spare"> {
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

/** Whether the choice of widths can be left to what the output can hold. */
const comparesLayers = ({ criterion, allocation }: PruneOptions, preset: Preset): boolean =>
  (criterion ?? preset.criterion) === "loss" && allocation === undefined;

function allocationOf({ widths }: PruneOptions, preset: Preset, spares: boolean): Preset["allocation"] {
  if (widths === "equal") return "even";
  return widths === "per-layer" && preset.allocation === "even" && !spares ? "loss" : preset.allocation;
}
