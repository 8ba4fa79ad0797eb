// Equal widths: how many neurons every kept layer keeps, so that a given fraction of the parameters goes.
import { CompError } from "../errors.ts";
import type { DecoderSpec } from "../model/decoder-spec.ts";
import { countParameters } from "../model/parameters.ts";

/** Widths are multiples of this where the sparsity allows it: rows then fill the blocks of 4- to 8-bit formats. */
export const PREFERRED_MULTIPLE = 32;

export interface Target {
  readonly sparsity: number;
  /** Which parameters the fraction counts. `decoder`: the matrices of the decoder layers. */
  readonly of: "all" | "decoder";
  /** The model that the fraction is counted of, where it is not the one that loses the neurons. */
  readonly source?: DecoderSpec | undefined;
  readonly multipleOf?: number | undefined;
}

/**
 * The largest width, equal in all kept layers and a multiple of `multipleOf`, that reaches the sparsity; a layer that is
 * narrower already stays as it is.
 *
 * @param keptLayers indices of the layers that stay; the others count as removed parameters
 * @throws {CompError} "budget" when even one step of width in each layer is too much
 */
export function uniformWidth(spec: DecoderSpec, keptLayers: readonly number[], target: Target): number {
  const full = Math.max(...keptLayers.map((index) => spec.layers[index]!.intermediateSize));
  const steps = target.multipleOf === undefined ? [PREFERRED_MULTIPLE, 1] : [target.multipleOf];
  for (const step of steps) {
    const width = widthInSteps(spec, keptLayers, target, full, step);
    if (width !== undefined) return width;
  }
  const most = reachedSparsity(target.source ?? spec, withWidth(spec, keptLayers, steps.at(-1)!), target.of);
  const hint =
    target.multipleOf === undefined
      ? "ask for less, or remove layers with --layers"
      : "ask for less, remove layers with --layers, or lower --multiple-of";
  throw new CompError(
    "budget",
    `a sparsity of ${target.sparsity} cannot be reached by removing neurons alone; ${most.toFixed(3)} is the most`,
    { hint },
  );
}

/** The width in steps of `step`; the full width, multiple or not, when the removed layers suffice; undefined when out of reach. */
function widthInSteps(
  spec: DecoderSpec,
  keptLayers: readonly number[],
  target: Target,
  full: number,
  step: number,
): number | undefined {
  const reaches = (width: number): boolean =>
    reachedSparsity(target.source ?? spec, withWidth(spec, keptLayers, width), target.of) >= target.sparsity;
  if (reaches(full)) return full;
  for (let width = Math.floor(full / step) * step; width > 0; width -= step) if (reaches(width)) return width;
  return undefined;
}

/** The spec of the pruned model: the kept layers, all at one width as far as they have it, or each at its own. */
export function withWidth(
  spec: DecoderSpec,
  keptLayers: readonly number[],
  width: number | readonly number[],
): DecoderSpec {
  const widths = typeof width === "number" ? equalWidths(spec, keptLayers, width) : width;
  return {
    ...spec,
    layers: keptLayers.map((index, position) => ({ ...spec.layers[index]!, intermediateSize: widths[position]! })),
  };
}

/** One width for all kept layers; a layer that has less keeps what it has. */
export function equalWidths(spec: DecoderSpec, keptLayers: readonly number[], width: number): number[] {
  return keptLayers.map((index) => Math.min(width, spec.layers[index]!.intermediateSize));
}

/** Fraction of the parameters that are gone. */
export function reachedSparsity(before: DecoderSpec, after: DecoderSpec, of: "all" | "decoder"): number {
  const [old, now] = [countParameters(before), countParameters(after)];
  return of === "all" ? 1 - now.total / old.total : 1 - now.decoderMatrices / old.decoderMatrices;
}
