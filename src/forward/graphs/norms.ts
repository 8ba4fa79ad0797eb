// Norms, with the model's convention of kind, weight and bias.
import type { Value } from "../../compute/graph.ts";
import { add, mul, rmsNorm, shift, standardize } from "../../compute/operations/index.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";

export type NormConvention = Pick<DecoderSpec, "normKind" | "normOffset" | "normEpsilon">;

/** A norm over the last axis; weight and bias are of its size, or broadcast over x. */
export function norm(spec: NormConvention, x: Value, weight: Value, bias?: Value): Value {
  const gain = shift(weight, spec.normOffset);
  const normed =
    spec.normKind === "rms" ? rmsNorm(x, gain, spec.normEpsilon) : mul(standardize(x, spec.normEpsilon), gain);
  return bias ? add(normed, bias) : normed;
}
