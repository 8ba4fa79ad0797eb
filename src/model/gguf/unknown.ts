// What llama.cpp's architectures hard-code while config.json leaves it open.
import { ACTIVATIONS } from "../config/activations.ts";
import type { Family } from "../families/family.ts";
import type { GgufForm } from "../families/gguf-traits.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { type Attention, attentionOf } from "../spec/parts.ts";
import type { RopeSpec } from "../spec/rope.ts";
import { unknownMixture } from "./mixture.ts";
import { YARN_BOUNDS } from "./rope.ts";

/** What of a model an architecture of llama.cpp does not know, in words; undefined where it computes all of it. */
export function unknownTo(form: GgufForm, spec: DecoderSpec, family: Family): string | undefined {
  const attentions = spec.layers.flatMap((layer) => attentionOf(layer) ?? []);
  return (
    unknownRope(form, spec, attentions) ??
    unknownBias(form, spec) ??
    unknownMixture(form.experts, spec) ??
    unknownHeads(form, spec, attentions) ??
    (spec.activation === ACTIVATIONS.get(family.defaults[family.names.activation])
      ? undefined
      : `the activation ${spec.activation}`)
  );
}

function unknownRope(
  { ropeDivisors, ropeFactors, yarnKeys, partialRotation, roundsRamp = false }: GgufForm,
  { rotarySize, headDim, learnedPositions }: DecoderSpec,
  attentions: readonly Attention[],
): string | undefined {
  for (const { rope } of attentions) {
    if (rope?.kind === "llama3" && !ropeDivisors) return "Llama 3's rotary scaling";
    if (rope?.kind === "longrope" && !ropeFactors) return "rotary scaling of kind longrope";
    if (rope?.kind === "dynamic") return "a rotation that depends on the length of the text";
    if (rope?.kind === "yarn" && !isHeld(rope, yarnKeys, roundsRamp)) return "this ramp of YaRN's rotary scaling";
  }
  if (rotarySize !== headDim && learnedPositions === undefined && !partialRotation)
    return "a rotation of a part of each head";
  return undefined;
}

const isHeld = (
  { betaFast, betaSlow, truncate }: Extract<RopeSpec, { kind: "yarn" }>,
  yarnKeys: boolean,
  roundsRamp: boolean,
): boolean => truncate !== roundsRamp && (yarnKeys || (betaFast === YARN_BOUNDS.fast && betaSlow === YARN_BOUNDS.slow));

function unknownBias({ bias: known }: GgufForm, { bias, layers }: DecoderSpec): string | undefined {
  if (bias.o && known.o === "never") return "a bias of o_proj";
  if (bias.down && known.mlp === "never") return "a bias in the MLP";
  if ((!bias.o && known.o === "always") || (!bias.mlp && known.mlp === "always")) return "a model without biases";
  if (layers.some(({ mixer }) => mixer?.kind === "short-convolution" && mixer.bias)) return "a bias of a convolution";
  return undefined;
}

function unknownHeads(
  { anyHeads, head }: GgufForm,
  { hiddenSize, headDim, tiedEmbeddings, queryKeyNorm }: DecoderSpec,
  attentions: readonly Attention[],
): string | undefined {
  if (!anyHeads && attentions.some(({ numAttentionHeads }) => numAttentionHeads * headDim !== hiddenSize))
    return "heads that together are not as wide as the hidden states";
  if (queryKeyNorm === "each-head") return "a norm of its own for each head";
  if (tiedEmbeddings && head === "own") return "logits from the token embedding";
  return !tiedEmbeddings && head === "tied" ? "a matrix of its own for the logits" : undefined;
}
