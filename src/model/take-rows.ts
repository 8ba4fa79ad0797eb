// Layers with a part of what they have: rows of matrices, experts of a mixture.
import { tensor } from "../compute/tensor.ts";
import { CompError } from "../errors.ts";
import { gatherRows } from "../linalg/gather.ts";
import type { DecoderLayer, LayerWeights } from "./read-layer.ts";
import { mixtureOf, withExperts } from "./spec/parts.ts";
import type { LayerRole } from "./spec/roles.ts";

/** Roles whose first dimension is the neuron. */
export const NEURON_ROWS: readonly LayerRole[] = ["gateProj", "upProj", "gateBias", "upBias"];

/** The given rows of each of `roles` that the layer has. */
export function takeRows(weights: LayerWeights, roles: readonly LayerRole[], rows: Int32Array): LayerWeights {
  const taken: LayerWeights = {};
  for (const role of roles) {
    const weight = weights[role];
    if (weight === undefined) continue;
    const rowLength = weight.data.length / weight.shape[0]!;
    taken[role] = {
      ...tensor(gatherRows(weight.data, rowLength, rows), weight.shape.with(0, rows.length)),
      ...(weight.source && { source: { ...weight.source, rows: rows.map((row) => weight.source!.rows[row]!) } }),
    };
  }
  return taken;
}

/** Roles whose first dimension is the expert. */
const EXPERT_ROWS: readonly LayerRole[] = ["router", "routerBias", "routerCorrection"];

/**
 * A mixture with some of its experts, renumbered: the router's rows and biases go along, and values stay as they are.
 *
 * @param kept ascending indices of the experts that stay, at least as many as a token goes to
 * @throws {CompError} "option" for fewer
 */
export function takeExperts({ sizes, weights, experts }: DecoderLayer, kept: Int32Array): DecoderLayer {
  const { expertsPerToken, numExperts } = mixtureOf(sizes)!;
  if (kept.length < expertsPerToken)
    throw new CompError(
      "option",
      `${kept.length} of ${numExperts} experts cannot stay: each token goes to ${expertsPerToken}`,
    );
  return {
    sizes: withExperts(sizes, kept.length),
    weights: { ...weights, ...takeRows(weights, EXPERT_ROWS, kept) },
    experts: { ...experts!, count: kept.length, read: (expert) => experts!.read(kept[expert]!) },
  };
}
