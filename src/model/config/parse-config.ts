// config.json → DecoderSpec, or the reason why the model is not supported.
import { CompError } from "../../errors.ts";
import { FAMILIES, type Family } from "../families/index.ts";
import type { Activation, Biases, DecoderSpec, LayerSpec } from "../spec/decoder-spec.ts";
import { ConfigFields, LIMITS, type ModelConfig } from "./config-fields.ts";
import { parseLayerSizes } from "./layer-sizes.ts";
import { DOWN_BIAS_FIELD } from "./mlp-bias.ts";

/** By the names that config.json has for them. */
export const ACTIVATIONS: ReadonlyMap<unknown, Activation> = new Map([
  ["silu", "silu"],
  ["swish", "silu"],
  ["gelu", "gelu"],
  ["gelu_pytorch_tanh", "gelu-tanh"],
  ["gelu_new", "gelu-tanh"],
]);

/** Fields that stand for arithmetic which no family here has, unless they are absent, false or 0. */
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
    bias: parseBiases(family, fields),
    normOffset: family.normOffset,
    queryKeyNorm: family.queryKeyNorm,
    sandwichNorms: family.sandwichNorms,
    attentionScale:
      (fields.get("query_pre_attn_scalar") === undefined ? headDim : fields.positive("query_pre_attn_scalar")) ** -0.5,
    embeddingScale: family.scaledEmbeddings ? Math.sqrt(hiddenSize) : 1,
  };
}

/** The row of the table for a configuration. @throws {CompError} "architecture" when there is none. */
export function familyOf(config: ModelConfig, source = "config.json"): Family {
  const { model_type: modelType } = config;
  const family = FAMILIES.find((row) => row.modelType === modelType);
  if (family !== undefined) return family;
  const what =
    modelType === undefined
      ? "gives no model_type"
      : `says model_type ${JSON.stringify(modelType)}, which is not supported`;
  throw new CompError("architecture", `${source} ${what}`, {
    hint: `supported: ${FAMILIES.map((row) => row.modelType).join(", ")}`,
  });
}

/** The configuration with what transformers assumes where it is silent. */
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

function parseBiases(family: Family, fields: ConfigFields): Biases {
  const stock = family.bias(fields);
  return { ...stock, down: stock.mlp || fields.flag(DOWN_BIAS_FIELD) };
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
  const rope = family.rope(fields);
  const sizes = parseLayerSizes(fields, count);
  return family.layerTypes(fields, count).map((type, index) => ({
    ...sizes[index]!,
    slidingWindow: type === "sliding_attention" ? fields.size("sliding_window", LIMITS.positions) : undefined,
    rope: rope[type],
  }));
}

function parseActivation(fields: ConfigFields, key: string): Activation {
  const activation = ACTIVATIONS.get(fields.get(key));
  if (activation !== undefined) return activation;
  throw new CompError(
    "architecture",
    `${fields.source} says ${key} ${JSON.stringify(fields.get(key))}, which is not supported`,
    {
      hint: `supported: ${[...ACTIVATIONS.keys()].join(", ")}`,
    },
  );
}
