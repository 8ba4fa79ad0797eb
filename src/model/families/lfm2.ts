// LFM2: short convolutions, and an attention in some layers.
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import { listedLayerTypes } from "../config/layer-types.ts";
import { LIMITS } from "../config/limits.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { type Family, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { type GgufHeader, PLAIN_GGUF } from "./gguf-traits.ts";

export const lfm2: Family = {
  ...LLAMA,
  modelType: "lfm2",
  architecture: "Lfm2ForCausalLM",
  module: "lfm2",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "lfm2",
    modules: { finalNorm: "token_embd_norm" },
    anyHeads: false,
    config: ggufConfig,
    header: ggufHeader,
  },
  names: { ...LLAMA.names, normEpsilon: "norm_eps" },
  defaults: {
    ...LLAMA_DEFAULTS,
    norm_eps: 1e-5,
    rope_theta: 1_000_000,
    tie_word_embeddings: true,
    max_position_embeddings: 128_000,
    num_key_value_heads: 8,
    conv_bias: false,
    conv_L_cache: 3,
    block_auto_adjust_ff_dim: true,
    block_ffn_dim_multiplier: 1,
    block_multiple_of: 256,
  },
  reads: (config) => ({
    ...(config.block_ff_dim === undefined ? {} : { intermediate_size: config.block_ff_dim }),
    ...(config.tie_embedding === undefined ? {} : { tie_word_embeddings: config.tie_embedding }),
  }),
  layerTypes: convUnlessListed,
  mixers: {
    conv: (fields) => ({
      kind: "short-convolution",
      kernelSize: fields.size("conv_L_cache", LIMITS.headDim),
      bias: fields.flag("conv_bias"),
    }),
  },
  width: adjustedWidth,
  traits: () => ({ queryKeyNorm: "head" }),
  prunedFields: () => ({ block_auto_adjust_ff_dim: false, block_ff_dim: undefined, full_attn_idxs: undefined }),
  storage: {
    ...LLAMA.storage,
    modules: {
      attentionNorm: "operator_norm",
      qNorm: "self_attn.q_layernorm",
      kNorm: "self_attn.k_layernorm",
      oProj: "self_attn.out_proj",
      mlpNorm: "ffn_norm",
      gateProj: "feed_forward.w1",
      upProj: "feed_forward.w3",
      downProj: "feed_forward.w2",
      finalNorm: "model.embedding_norm",
    },
    ofMixer: { "short-convolution": { oProj: "conv.out_proj" } },
  },
  python: { layers: "model.layers", attention: "self_attn", mlp: "feed_forward" },
};

/** Without `layer_types`, attention in the layers that `full_attn_idxs` names; without these in all. */
function convUnlessListed(fields: ConfigFields, count: number): string[] {
  const listed = listedLayerTypes(fields, count, ["conv"]);
  if (listed !== undefined) return listed;
  const full: unknown = fields.get("full_attn_idxs");
  return Array.from({ length: count }, (_, index) =>
    Array.isArray(full) && !full.includes(index) ? "conv" : "full_attention",
  );
}

/** Two thirds of what the configuration says, times a factor, and rounded up, unless it is told to be taken as it is. */
function adjustedWidth(fields: ConfigFields): number {
  const width = fields.size("intermediate_size", LIMITS.intermediateSize);
  if (!fields.flag("block_auto_adjust_ff_dim")) return width;
  const share = Math.floor((2 * width) / 3);
  if (fields.get("block_ffn_dim_multiplier") === undefined) return share;
  const multiple = fields.size("block_multiple_of", LIMITS.intermediateSize);
  return multiple * Math.ceil(Math.floor(fields.positive("block_ffn_dim_multiplier") * share) / multiple);
}

/** Layers without key-value heads are convolutions. */
function ggufConfig(header: ConfigFields): ModelConfig {
  const heads = header.get("attention.head_count_kv");
  return {
    ...(Array.isArray(heads) ? { layer_types: heads.map((count) => (count === 0 ? "conv" : "full_attention")) } : {}),
    conv_L_cache: header.get("shortconv.l_cache"),
    block_auto_adjust_ff_dim: false,
  };
}

function ggufHeader({ layers }: DecoderSpec): GgufHeader {
  const kernels = layers.flatMap(({ mixer }) => (mixer?.kind === "short-convolution" ? [mixer.kernelSize] : []));
  return { "shortconv.l_cache": ["u32", kernels[0] ?? 3] };
}
