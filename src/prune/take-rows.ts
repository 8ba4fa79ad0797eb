// Some rows of some weights of a layer.
import { tensor } from "../compute/tensor.ts";
import { gatherRows } from "../linalg/gather.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { LayerRole } from "../model/spec/tensor-names.ts";

/** The given rows of each of `roles` that the layer has. */
export function takeRows(weights: LayerWeights, roles: readonly LayerRole[], rows: Int32Array): LayerWeights {
  const taken: LayerWeights = {};
  for (const role of roles) {
    const weight = weights[role];
    if (weight === undefined) continue;
    const rowLength = weight.data.length / weight.shape[0]!;
    taken[role] = tensor(gatherRows(weight.data, rowLength, rows), weight.shape.with(0, rows.length));
  }
  return taken;
}
