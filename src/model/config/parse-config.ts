// config.json → DecoderSpec, or the reason why the model is not supported.
import { CompError } from "../../errors.ts";
import { type Family, LLAMA_TRAITS } from "../families/family.ts";
import { FAMILIES, familyOf } from "../families/index.ts";
import type { DecoderSpec, DecoderTraits } from "../spec/decoder-spec.ts";
import { type ChannelMixer, type LayerSizes, type LayerSpec, type Mixer, resized } from "../spec/parts.ts";
import { parseActivation } from "./activations.ts";
import { parseBiases } from "./biases.ts";
import { ConfigFields, type ModelConfig } from "./config-fields.ts";
import { parseLayerSizes } from "./layer-sizes.ts";
import { LIMITS } from "./limits.ts";
import { parseMixture } from "./mixture.ts";

/** Fields that ask for arithmetic that most families do not have, unless they are absent, false or 0. */
const UNSUPPORTED: readonly (readonly [key: string, what: string, hint?: string])[] = [
  ["quantization_config", "its weights are quantized", "give the unquantized folder, or a GGUF file"],
  ["num_local_experts", "it is a mixture of experts"],
  ["num_experts", "it is a mixture of experts"],
  ["n_routed_experts", "it is a mixture of experts"],
  ["attn_logit_softcapping", "it caps its attention scores"],
  ["final_logit_softcapping", "it caps its logits"],
  ["use_bidirectional_attention", "its attention is not causal"],
  ["is_encoder_decoder", "it has an encoder"],
  ["add_cross_attention", "it attends to an encoder"],
];

/**
 * The decoder that a configuration describes. `source` names it in messages.
 * @throws {CompError} "architecture" for a family or feature that is not supported, "checkpoint" for values that
 *   are missing or impossible.
 */
export function parseConfig(config: ModelConfig, source = "config.json"): DecoderSpec {
  checkFeatures(
    FAMILIES.find(({ modelType }) => modelType === config.model_type),
    config,
    source,
  );
  const family = familyOf(config, source);
  const fields = withDefaults(family, config, source);
  const { names } = family;
  const hiddenSize = fields.size(names.hiddenSize, LIMITS.hiddenSize);
  const headDim = parseHeadDim(family, fields, hiddenSize);
  const traits: DecoderTraits = {
    ...LLAMA_TRAITS,
    attentionScale: headDim ** -0.5,
    rotarySize: parseRotarySize(family, fields, headDim),
    ...family.traits(fields, hiddenSize),
    ...(family.mixture && { routing: family.mixture.routing(fields) }),
  };
  return {
    family: family.modelType,
    hiddenSize,
    headDim,
    vocabSize: fields.size("vocab_size", LIMITS.vocabSize),
    maxPositionEmbeddings: fields.size(names.positions, LIMITS.positions),
    normEpsilon: fields.positive(names.normEpsilon),
    layers: parseLayers(family, fields),
    activation: parseActivation(fields, names.activation),
    tiedEmbeddings: fields.flag("tie_word_embeddings"),
    bias: parseBiases(family.bias, fields),
    ...traits,
  };
}

/** The configuration with the defaults of transformers filled in, read as the family's class reads it. */
export const withDefaults = (family: Family, config: ModelConfig, source = "config.json"): ConfigFields => {
  const filled = { ...family.defaults, ...config };
  return new ConfigFields({ ...filled, ...family.reads?.(filled) }, source);
};

function checkFeatures(family: Family | undefined, config: ModelConfig, source: string): void {
  const { knows = [], refuses = [], mixture } = family ?? {};
  const known = [...knows, ...(mixture?.counts ?? [])];
  for (const [key, what, hint] of [...UNSUPPORTED, ...refuses])
    if (config[key] && !known.includes(key))
      throw new CompError(
        "architecture",
        `this model is not supported: ${what} (${key} in ${source})`,
        hint === undefined ? {} : { hint },
      );
}

function parseHeadDim({ names, positions }: Family, fields: ConfigFields, hiddenSize: number): number {
  const heads = fields.size(names.heads, LIMITS.heads);
  const isGiven = names.headDim !== null && fields.get(names.headDim) !== undefined;
  const headDim = isGiven ? fields.size(names.headDim!, LIMITS.headDim) : hiddenSize / heads;
  if (!Number.isInteger(headDim))
    throw new CompError(
      "checkpoint",
      `${fields.source} says ${names.hiddenSize} ${hiddenSize}, which ${heads} attention heads do not divide`,
    );
  if (positions === "rotary" && headDim % 2 !== 0)
    throw new CompError(
      "architecture",
      `${fields.source} gives heads of ${headDim} elements; rotary embedding needs an even number`,
    );
  return headDim;
}

function parseRotarySize({ rope, positions }: Family, fields: ConfigFields, headDim: number): number {
  if (positions === "learned") return 0;
  const size = Math.floor(headDim * rope.share(fields));
  if (size > 0 && size % 2 === 0 && size <= headDim) return size;
  throw new CompError(
    "architecture",
    `${fields.source} rotates ${size} of ${headDim} elements of a head; rotary embedding needs an even number`,
  );
}

function parseLayers(family: Family, fields: ConfigFields): LayerSpec[] {
  const { names } = family;
  const count = fields.size(names.layers, LIMITS.layers);
  const channels = Array.from({ length: count }, (_, index) => parseChannel(family, fields, index));
  const sizes = parseLayerSizes(
    fields,
    names,
    channels.map(({ intermediateSize }) => intermediateSize),
  );
  const types = family.layerTypes(fields, count);
  const mixerOf = mixers(family, fields, types);
  return types.map((type, index) => {
    const mixer = mixerOf(type, index, sizes[index]!);
    return resized({ type, mixer, channel: channels[index]! }, sizes[index]!);
  });
}

/** A mixture of experts where the family has one in this layer, else an MLP. */
function parseChannel(family: Family, fields: ConfigFields, index: number): ChannelMixer {
  const mixture = family.mixture && parseMixture(family.mixture, fields, index);
  if (mixture !== undefined) return mixture;
  const width = family.width?.(fields) ?? fields.size(family.names.intermediateSize, LIMITS.intermediateSize);
  return { kind: "mlp", intermediateSize: width };
}

/** Makes the mixer of each layer: another one where the family has it for the layer's type, else an attention. */
function mixers(
  family: Family,
  fields: ConfigFields,
  types: readonly string[],
): (type: string, index: number, sizes: LayerSizes) => Mixer {
  const rope = family.positions === "learned" ? undefined : family.rope.parse(fields);
  const rotates = family.rotates?.(fields, types) ?? types.map(() => true);
  return (type, index, { numAttentionHeads, numKeyValueHeads }) => {
    const other = family.mixers?.[type];
    if (other !== undefined) return other(fields);
    const slides = type === "sliding_attention";
    return {
      kind: "attention",
      numAttentionHeads,
      numKeyValueHeads,
      slidingWindow: slides ? fields.size("sliding_window", LIMITS.positions) : undefined,
      rope: rotates[index] ? rope?.[slides ? "sliding_attention" : "full_attention"] : undefined,
    };
  };
}
