// The model families, one row each: what distinguishes them, in config.json and in GGUF. A new family is a new row.
import type { GgufType } from "../../checkpoint/gguf-types.ts";
import { CompError } from "../../errors.ts";
import { type ConfigFields, LIMITS, type ModelConfig } from "../config/config-fields.ts";
import {
  allFull,
  allSliding,
  fullEveryNth,
  type LayerType,
  type LayerTypesRule,
  slidingAfterFirst,
} from "../config/layer-types.ts";
import { ropeByLayerType, sharedRope } from "../config/rope-config.ts";
import type { Biases, DecoderSpec, RopeSpec } from "../spec/decoder-spec.ts";

export interface Family {
  /** `model_type` of config.json. */
  readonly modelType: string;
  /** The class that transformers loads it with, for `architectures`. */
  readonly architecture: string;
  /** Its form in GGUF. Files of an architecture become the first family that has it. */
  readonly gguf: GgufTraits;
  /** What transformers assumes where config.json is silent; sizes without a default must be given. */
  readonly defaults: ModelConfig;
  readonly activationKey: "hidden_act" | "hidden_activation";
  /** What stock transformers gives a bias. */
  readonly bias: (fields: ConfigFields) => Omit<Biases, "down">;
  readonly layerTypes: LayerTypesRule;
  readonly rope: (fields: ConfigFields) => Record<LayerType, RopeSpec>;
  readonly normOffset: 0 | 1;
  readonly queryKeyNorm: boolean;
  readonly sandwichNorms: boolean;
  /** transformers 5 refuses a number of heads that does not divide the hidden size. */
  readonly headsDivideHidden: boolean;
  /** Embeddings are multiplied by √hiddenSize. */
  readonly scaledEmbeddings: boolean;
}

export interface GgufTraits {
  readonly architecture: string;
  /** llama.cpp rotates neighbouring elements here, so that the rows of q and k are stored in another order. */
  readonly interleavedRotary: boolean;
  /** llama.cpp's `deci`, whose layers may differ in width, computes the same. */
  readonly asDeci: boolean;
  /** llama.cpp knows layers with and without a window, in a regular order only; elsewhere it knows no windows at all. */
  readonly regularWindows: boolean;
  /** Fields of config.json beyond those that all families share. `header` has the architecture's keys, unprefixed. */
  readonly config: (header: ConfigFields, sizes: HeaderSizes) => ModelConfig;
  /** The header's keys for them, unprefixed. @throws {CompError} "architecture" for what llama.cpp cannot compute. */
  readonly header: (spec: DecoderSpec) => GgufHeader;
}

/** Values of a GGUF header by key, with their types. */
export type GgufHeader = Readonly<
  Record<string, readonly [type: GgufType, value: string | number | readonly number[]]>
>;

/** Sizes from which further fields follow. */
export interface HeaderSizes {
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly headDim: number;
}

const PLAIN = { normOffset: 0, queryKeyNorm: false, sandwichNorms: false, scaledEmbeddings: false } as const;
const NOTHING_MORE = { regularWindows: false, config: () => ({}), header: () => ({}) };
// Mistral's GGUF files call themselves llama too; llama.cpp runs them without a window.
const LLAMA_GGUF: GgufTraits = { architecture: "llama", interleavedRotary: true, asDeci: true, ...NOTHING_MORE };
const COMMON_DEFAULTS = { hidden_act: "silu", rms_norm_eps: 1e-6, rope_theta: 10_000, tie_word_embeddings: false };

export const FAMILIES: readonly Family[] = [
  {
    ...PLAIN,
    modelType: "llama",
    architecture: "LlamaForCausalLM",
    headsDivideHidden: true,
    gguf: LLAMA_GGUF,
    defaults: { ...COMMON_DEFAULTS, max_position_embeddings: 2048, attention_bias: false, mlp_bias: false },
    activationKey: "hidden_act",
    bias: (fields) => ({ ...attentionBias(fields), mlp: fields.flag("mlp_bias") }),
    layerTypes: allFull,
    rope: everywhere,
  },
  {
    ...PLAIN,
    modelType: "mistral",
    architecture: "MistralForCausalLM",
    headsDivideHidden: false,
    gguf: LLAMA_GGUF,
    defaults: { ...COMMON_DEFAULTS, max_position_embeddings: 131_072, num_key_value_heads: 8, sliding_window: 4096 },
    activationKey: "hidden_act",
    bias: () => ({ qkv: false, o: false, mlp: false }),
    layerTypes: allSliding,
    rope: everywhere,
  },
  {
    ...PLAIN,
    modelType: "qwen2",
    architecture: "Qwen2ForCausalLM",
    headsDivideHidden: false,
    gguf: {
      ...NOTHING_MORE,
      architecture: "qwen2",
      interleavedRotary: false,
      asDeci: true,
      config: () => ({ use_sliding_window: false }),
    },
    defaults: {
      ...COMMON_DEFAULTS,
      max_position_embeddings: 32_768,
      num_key_value_heads: 32,
      use_sliding_window: false,
      sliding_window: 4096,
      max_window_layers: 28,
    },
    activationKey: "hidden_act",
    bias: () => ({ qkv: true, o: false, mlp: false }),
    layerTypes: slidingAfterFirst,
    rope: everywhere,
  },
  {
    modelType: "gemma3_text",
    architecture: "Gemma3ForCausalLM",
    headsDivideHidden: true,
    gguf: {
      architecture: "gemma3",
      interleavedRotary: false,
      asDeci: false,
      regularWindows: true,
      config: gemma3Config,
      header: gemma3Header,
    },
    defaults: {
      hidden_activation: "gelu_pytorch_tanh",
      rms_norm_eps: 1e-6,
      rope_theta: 1_000_000,
      rope_local_base_freq: 10_000,
      tie_word_embeddings: true,
      max_position_embeddings: 131_072,
      num_key_value_heads: 4,
      head_dim: 256,
      query_pre_attn_scalar: 256,
      sliding_window: 4096,
      sliding_window_pattern: 6,
      attention_bias: false,
    },
    activationKey: "hidden_activation",
    bias: (fields) => ({ ...attentionBias(fields), mlp: false }),
    layerTypes: fullEveryNth,
    rope: ropeByLayerType,
    normOffset: 1,
    queryKeyNorm: true,
    sandwichNorms: true,
    scaledEmbeddings: true,
  },
];

function attentionBias(fields: ConfigFields): { qkv: boolean; o: boolean } {
  const bias = fields.flag("attention_bias");
  return { qkv: bias, o: bias };
}

function everywhere(fields: ConfigFields): Record<LayerType, RopeSpec> {
  const rope = sharedRope(fields);
  return { full_attention: rope, sliding_attention: rope };
}

/** Layers of the 27B model, the only one that scales its attention scores by another width than the head's. */
const GEMMA3_27B_LAYERS = 62;

/** Attention scores are scaled by the width of a head, in the 27B by another. */
const gemma3Scaling = ({ hiddenSize, numHiddenLayers, numAttentionHeads, headDim }: HeaderSizes): number =>
  numHiddenLayers === GEMMA3_27B_LAYERS ? hiddenSize / numAttentionHeads : headDim;

/** What llama.cpp knows of Gemma 3 where the header is silent: a window in five of six layers, and the 27B's scores. */
function gemma3Config(header: ConfigFields, sizes: HeaderSizes): ModelConfig {
  const pattern = header.get("attention.sliding_window_pattern");
  return {
    query_pre_attn_scalar: gemma3Scaling(sizes),
    sliding_window: header.size("attention.sliding_window", LIMITS.positions),
    ...(Array.isArray(pattern)
      ? { layer_types: pattern.map((sliding) => (sliding ? "sliding_attention" : "full_attention")) }
      : { sliding_window_pattern: pattern ?? 6 }),
    rope_local_base_freq: header.get("rope.freq_base_swa") ?? 10_000,
  };
}

/** The same from the other side: llama.cpp knows a full layer in every so many, no other order. */
function gemma3Header(spec: DecoderSpec): GgufHeader {
  const sliding = spec.layers.find((layer) => layer.slidingWindow !== undefined);
  const numAttentionHeads = spec.layers[0]!.numAttentionHeads;
  const scaling = gemma3Scaling({ ...spec, numHiddenLayers: spec.layers.length, numAttentionHeads });
  if (Math.abs(spec.attentionScale * Math.sqrt(scaling) - 1) > 1e-6)
    throw new CompError(
      "architecture",
      `llama.cpp scales the attention of a gemma3 of ${spec.layers.length} layers otherwise`,
      {
        hint: "write a folder, or keep all layers",
      },
    );
  return {
    "attention.sliding_window": ["u32", sliding?.slidingWindow ?? spec.maxPositionEmbeddings],
    "attention.sliding_window_pattern": ["u32", slidingPeriod(spec)],
    "rope.freq_base_swa": ["f32", sliding?.rope.theta ?? 10_000],
  };
}

/** The period with which full layers return. @throws {CompError} "architecture" when there is none. */
function slidingPeriod({ layers }: DecoderSpec): number {
  const fits = (period: number): boolean =>
    layers.every((layer, index) => (layer.slidingWindow === undefined) === ((index + 1) % period === 0));
  const period = Array.from({ length: layers.length + 1 }, (_, i) => i + 1).find(fits);
  if (period !== undefined) return period;
  throw new CompError("architecture", "GGUF has no form for a gemma3 whose full layers do not return regularly", {
    hint: "write a folder, or keep all layers",
  });
}
