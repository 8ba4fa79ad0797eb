// Norms, with the model's convention of kind, weight and bias.
import type { Value } from "../../compute/graph.ts";
import { add, mul, shift } from "../../compute/operations/elementwise.ts";
import { rmsNorm, standardize } from "../../compute/operations/normalize.ts";
import { type DecoderSpec, type NormRole, sharesNorm } from "../../model/spec/decoder-spec.ts";
import type { Sublayer } from "../../model/spec/roles.ts";
import type { LayerValues } from "./layer-values.ts";

export type NormConvention = Pick<DecoderSpec, "normKind" | "normOffset" | "normEpsilon">;

/** A norm over the last axis; weight and bias are of its size, or broadcast over x. */
export function norm(spec: NormConvention, x: Value, weight: Value, bias?: Value): Value {
  const gain = shift(weight, spec.normOffset);
  const normed =
    spec.normKind === "rms" ? rmsNorm(x, gain, spec.normEpsilon) : mul(standardize(x, spec.normEpsilon), gain);
  return bias ? add(normed, bias) : normed;
}

/** The norm in front of a sublayer: the attention's own serves both where a parallel layer has but one. */
export const inputNormOf = (spec: DecoderSpec, name: Sublayer): NormRole =>
  name === "attention" || sharesNorm(spec) ? "attentionNorm" : "mlpNorm";

/** What a sublayer reads: x [tokens, hiddenSize] through the norm in front of it, where there is one. */
export function inputNorm(spec: DecoderSpec, name: Sublayer, x: Value, weights: LayerValues): Value {
  const role = inputNormOf(spec, name);
  return spec.norms.includes(role) ? norm(spec, x, weights[role]!, weights[`${role}Bias`]) : x;
}
