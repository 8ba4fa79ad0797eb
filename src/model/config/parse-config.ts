// config.json → DecoderSpec, or the reason why the model is not supported.
import { CompError } from "../../errors.ts";
import type { Family } from "../families/family.ts";
import { familyOf } from "../families/index.ts";
import type { DecoderSpec, LayerSpec } from "../spec/decoder-spec.ts";
import { parseActivation } from "./activations.ts";
import { parseBiases } from "./biases.ts";
import { ConfigFields, LIMITS, type ModelConfig } from "./config-fields.ts";
import { parseLayerSizes } from "./layer-sizes.ts";

/** Fields that ask for arithmetic that is not supported, unless they are absent, false or 0. */
const UNSUPPORTED: readonly (readonly [key: string, what: string, hint: string | undefined])[] = [
  ["quantization_config", "its weights are quantized", "give the unquantized folder, or a GGUF file"],
  ["num_local_experts", "it is a mixture of experts", undefined],
  ["num_experts", "it is a mixture of experts", undefined],
  ["n_routed_experts", "it is a mixture of experts", undefined],
  ["attn_logit_softcapping", "it caps its attention scores", undefined],
  ["final_logit_softcapping", "it caps its logits", undefined],
  ["use_bidirectional_attention", "its attention is not causal", undefined],
  ["is_encoder_decoder", "it has an encoder", undefined],
];

/**
 * The decoder that a configuration describes. `source` names it in messages.
 * @throws {CompError} "architecture" for a family or feature that is not supported, "checkpoint" for values that
 *   are missing or impossible.
 */
export function parseConfig(config: ModelConfig, source = "config.json"): DecoderSpec {
  checkFeatures(config, source);
  const family = familyOf(config, source);
  const fields = withDefaults(family, config, source);
  const hiddenSize = fields.size("hidden_size", LIMITS.hiddenSize);
  const headDim = parseHeadDim(fields, hiddenSize);
  return {
    family: family.modelType,
    hiddenSize,
    headDim,
    vocabSize: fields.size("vocab_size", LIMITS.vocabSize),
    maxPositionEmbeddings: fields.size("max_position_embeddings", LIMITS.positions),
    normEpsilon: fields.positive("rms_norm_eps"),
    layers: parseLayers(family, fields),
    activation: parseActivation(fields, family.activationKey),
    tiedEmbeddings: fields.flag("tie_word_embeddings"),
    bias: parseBiases(family.bias, fields),
    normOffset: family.normOffset,
    queryKeyNorm: family.queryKeyNorm,
    normNames: family.normNames,
    sandwichNorms: family.normNames.attentionOutputNorm !== undefined,
    attentionScale:
      (fields.get("query_pre_attn_scalar") === undefined ? headDim : fields.positive("query_pre_attn_scalar")) ** -0.5,
    embeddingScale: family.scaledEmbeddings ? Math.sqrt(hiddenSize) : 1,
  };
}

/** The configuration with the defaults of transformers filled in. */
export const withDefaults = (family: Family, config: ModelConfig, source = "config.json"): ConfigFields =>
  new ConfigFields({ ...family.defaults, ...config }, source);

function checkFeatures(config: ModelConfig, source: string): void {
  for (const [key, what, hint] of UNSUPPORTED)
    if (config[key])
      throw new CompError(
        "architecture",
        `this model is not supported: ${what} (${key} in ${source})`,
        hint === undefined ? {} : { hint },
      );
}

function parseHeadDim(fields: ConfigFields, hiddenSize: number): number {
  const heads = fields.size("num_attention_heads", LIMITS.heads);
  const headDim = fields.get("head_dim") === undefined ? hiddenSize / heads : fields.size("head_dim", LIMITS.headDim);
  if (!Number.isInteger(headDim))
    throw new CompError(
      "checkpoint",
      `${fields.source} says hidden_size ${hiddenSize}, which ${heads} attention heads do not divide`,
    );
  if (headDim % 2 !== 0)
    throw new CompError(
      "architecture",
      `${fields.source} gives heads of ${headDim} elements; rotary embedding needs an even number`,
    );
  return headDim;
}

function parseLayers(family: Family, fields: ConfigFields): LayerSpec[] {
  const count = fields.size("num_hidden_layers", LIMITS.layers);
  const rope = family.rope.parse(fields);
  const sizes = parseLayerSizes(fields, count);
  return family.layerTypes(fields, count).map((type, index) => ({
    ...sizes[index]!,
    slidingWindow: type === "sliding_attention" ? fields.size("sliding_window", LIMITS.positions) : undefined,
    rope: rope[type],
  }));
}
