// How much an error in each column of a matrix counts when its values are rounded to a quantized type: as the second moment of the
// input that the column multiplies, the diagonal of the Gram matrix.
import { PROJECTION_ROLES } from "../forward/graphs/decoder-layer.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import { LAYER_ROLES, type LayerRole, type Sublayer } from "../model/spec/roles.ts";

/** What calibration has summed of the inputs of a sublayer's matrices. */
export interface InputMoments {
  /** Σ z zᵀ of all that entered its projection before anything was cut, f32 [inputSize, inputSize]. */
  readonly gram: Float32Array;
  /** Those of the inputs that stay. */
  readonly kept: Int32Array;
  /** Σ x² of what its other matrices read, f32 [hiddenSize], where that was summed. */
  readonly entries: Float32Array | undefined;
}

/** The weights of a sublayer, each matrix with the moments of its inputs as far as they are known. */
export function withInputMoments(name: Sublayer, weights: LayerWeights, moments: InputMoments): LayerWeights {
  const weighed: LayerWeights = { ...weights };
  const weigh = (role: LayerRole, inputMoments: Float32Array): void => {
    if (weighed[role]) weighed[role] = { ...weighed[role], inputMoments };
  };
  const { gram, kept, entries } = moments;
  const inputSize = Math.sqrt(gram.length);
  weigh(
    PROJECTION_ROLES[name].weight,
    Float32Array.from(kept, (input) => gram[input * inputSize + input]!),
  );
  if (entries)
    for (const [role, { sublayer, dimensions }] of Object.entries(LAYER_ROLES))
      if (sublayer === name && dimensions[1] === "hidden") weigh(role as LayerRole, entries);
  return weighed;
}
