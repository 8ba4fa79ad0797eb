// Equal widths: how many neurons every kept layer keeps, so that a given fraction of the parameters goes.
import { CompError } from "../errors.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { LayerIndex, LayerPosition } from "../model/spec/layer-index.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { mixtureOf, resized, sizesOf } from "../model/spec/parts.ts";

/** Widths are multiples of this where the sparsity allows it: rows then fill the blocks of 4- to 8-bit formats. */
export const PREFERRED_MULTIPLE = 32;

/** So much of its neurons a layer may lose beyond what is asked for, so that its rows fill the blocks that they are written in. */
const SNAPPED_SHARE = 1 / 64;

export interface Target {
  readonly sparsity: number;
  /** Which parameters the fraction counts. `decoder`: the matrices of the decoder layers. */
  readonly of: "all" | "decoder";
  /** The model that the fraction is counted of, where it is not the one that loses the neurons. */
  readonly source?: DecoderSpec | undefined;
  readonly multipleOf?: number | undefined;
  /** Elements of a block of the type in which the neurons are written; undefined: of 1. */
  readonly blockSize?: number | undefined;
  /** How many of the first and of the last kept layers keep all their neurons. */
  readonly protectedLayers?: readonly number[] | undefined;
}

/** So much of a fraction is lost to rounding: 1 − 24/30 is less than 0.2. */
export const ROUNDING = 1e-9;

/** Whether enough is gone. */
export const reaches = (before: DecoderSpec, after: DecoderSpec, { sparsity, of }: Target): boolean =>
  reachedSparsity(before, after, of) >= sparsity - ROUNDING;

/**
 * The largest width, equal in all kept layers and a multiple of `multipleOf`, that reaches the sparsity; a layer that is
 * narrower already stays as it is.
 *
 * @param keptLayers indices of the layers that stay; the others count as removed parameters
 * @throws {CompError} "budget" when even one step of width in each layer is too much
 */
export function uniformWidth(spec: DecoderSpec, keptLayers: readonly LayerIndex[], target: Target): number {
  const cuttable = keptLayers.filter(
    (index, position) =>
      givesNeurons(spec, index) && !isProtected(position as LayerPosition, keptLayers.length, target.protectedLayers),
  );
  const full = Math.max(0, ...cuttable.map((index) => sizesOf(spec.layers[index]!).intermediateSize));
  const steps = target.multipleOf === undefined ? [PREFERRED_MULTIPLE, 1] : [target.multipleOf];
  for (const step of steps) {
    const width = widthInSteps(spec, keptLayers, target, full, step);
    if (width !== undefined) return target.multipleOf === undefined ? snapped(width, full, target.blockSize) : width;
  }
  const least = equalWidths(spec, keptLayers, steps.at(-1)!, target.protectedLayers);
  const most = reachedSparsity(target.source ?? spec, withWidth(spec, keptLayers, least), target.of);
  throw new CompError(
    "budget",
    `a sparsity of ${target.sparsity} cannot be reached by removing neurons alone; ${most.toFixed(3)} is the most`,
    { hint: waysOut(target) },
  );
}

/** The width in whole blocks, where that costs next to nothing. */
function snapped(width: number, full: number, blockSize = 1): number {
  const whole = Math.floor(width / blockSize) * blockSize;
  return width < full && whole > 0 && width - whole <= full * SNAPPED_SHARE ? whole : width;
}

/** The step in which widths of a layer's own are found: blocks, where they are small beside the layer. */
export const stepOf = (full: number, { multipleOf, blockSize = 1 }: Pick<Target, "multipleOf" | "blockSize">): number =>
  multipleOf ??
  (blockSize > PREFERRED_MULTIPLE && blockSize <= 2 * SNAPPED_SHARE * full ? blockSize : PREFERRED_MULTIPLE);

function waysOut({ protectedLayers, multipleOf }: Target): string {
  const ways = ["ask for less", "remove layers with --layers"];
  if (protectedLayers?.some((count) => count > 0)) ways.push("spare fewer with --spare");
  if (multipleOf !== undefined) ways.push("lower --multiple-of");
  return `${ways.slice(0, -1).join(", ")}${ways.length > 2 ? "," : ""} or ${ways.at(-1)}`;
}

/** The width in steps of `step`; the full width, multiple or not, when the removed layers suffice; undefined when out of reach. */
function widthInSteps(
  spec: DecoderSpec,
  keptLayers: readonly LayerIndex[],
  target: Target,
  full: number,
  step: number,
): number | undefined {
  const suffices = (width: number): boolean => {
    const widths = equalWidths(spec, keptLayers, width, target.protectedLayers);
    return reaches(target.source ?? spec, withWidth(spec, keptLayers, widths), target);
  };
  if (suffices(full)) return full;
  for (let width = Math.floor(full / step) * step; width > 0; width -= step) if (suffices(width)) return width;
  return undefined;
}

/** The spec of the pruned model: the kept layers, all at one width as far as they have it, or each at its own. */
export function withWidth(
  spec: DecoderSpec,
  keptLayers: readonly LayerIndex[],
  width: number | readonly number[],
): DecoderSpec {
  const widths = typeof width === "number" ? equalWidths(spec, keptLayers, width) : width;
  return {
    ...spec,
    layers: keptLayers.map((index, position) => resized(spec.layers[index]!, { intermediateSize: widths[position]! })),
  };
}

/** One width for all kept layers; a layer that has less, is protected or gives none keeps what it has. */
export function equalWidths(
  spec: DecoderSpec,
  keptLayers: readonly LayerIndex[],
  width: number,
  protectedLayers?: readonly number[],
): number[] {
  return keptLayers.map((index, position) => {
    const full = sizesOf(spec.layers[index]!).intermediateSize;
    const stays = isProtected(position as LayerPosition, keptLayers.length, protectedLayers);
    return stays || !givesNeurons(spec, index) ? full : Math.min(width, full);
  });
}

/** Beside mixtures of experts the few plain MLPs, which are far wider than an expert, keep what they have. */
const givesNeurons = ({ layers }: DecoderSpec, index: LayerIndex): boolean =>
  mixtureOf(layers[index]!) !== undefined || layers.every((layer) => mixtureOf(layer) === undefined);

/** Whether the layer at a position among `count` is one of the first or last that are protected. */
export const isProtected = (
  position: LayerPosition,
  count: number,
  [first = 0, last = 0]: readonly number[] = [],
): boolean => position < first || position >= count - last;

/** Fraction of the parameters that are gone. */
export function reachedSparsity(before: DecoderSpec, after: DecoderSpec, of: "all" | "decoder"): number {
  return 1 - parametersOf(after, of) / parametersOf(before, of);
}

/** The parameters that a fraction counts. */
export function parametersOf(spec: DecoderSpec, of: "all" | "decoder"): number {
  const { total, decoderMatrices } = countParameters(spec);
  return of === "all" ? total : decoderMatrices;
}
