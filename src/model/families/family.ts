// What distinguishes a model family, in config.json and in GGUF, and what most families share.
import type { GgufType } from "../../checkpoint/gguf-types.ts";
import type { BiasRule } from "../config/biases.ts";
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import { allFull, type LayerTypesRule } from "../config/layer-types.ts";
import { type RopeRule, sharedRope } from "../config/rope-config.ts";
import type { DecoderSpec, NormNames } from "../spec/decoder-spec.ts";

export interface Family {
  /** `model_type` of config.json. */
  readonly modelType: string;
  /** The class that transformers loads it with, for `architectures`. */
  readonly architecture: string;
  /** Where transformers keeps that class: transformers.models.MODULE.modeling_MODULE. */
  readonly module: string;
  readonly gguf: GgufTraits;
  /** The defaults of transformers for fields that config.json leaves out; sizes without a default must be given. */
  readonly defaults: ModelConfig;
  readonly activationKey: "hidden_act" | "hidden_activation";
  readonly bias: BiasRule;
  readonly layerTypes: LayerTypesRule;
  readonly rope: RopeRule;
  readonly normNames: NormNames;
  readonly normOffset: 0 | 1;
  readonly queryKeyNorm: boolean;
  /** transformers 5 refuses a number of heads that does not divide the hidden size. */
  readonly headsDivideHidden: boolean;
  /** Embeddings are multiplied by √hiddenSize. */
  readonly scaledEmbeddings: boolean;
}

/** A family as llama.cpp runs it. */
export interface GgufTraits {
  /** Files of an architecture become the first family that has it. */
  readonly architecture: string;
  /** llama.cpp rotates neighbouring elements, so that the rows of q and k are stored in another order. */
  readonly interleavedRotary: boolean;
  /** llama.cpp reads a divisor for each rotary frequency, by which Llama 3's scaling is stored. */
  readonly ropeDivisors: boolean;
  /** llama.cpp's `deci`, whose layers may differ in width, computes the same function. */
  readonly asDeci: boolean;
  /** llama.cpp applies windows, to layers in a regular order; without this it applies none. */
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

/** Norms before attention and before the MLP. */
const PRE_NORMS: NormNames = { attentionNorm: "input_layernorm", mlpNorm: "post_attention_layernorm" };

/** What most families share: pre-norms, one rotary embedding, no biases, no windows. */
export const PLAIN = {
  activationKey: "hidden_act",
  bias: { qkv: false, o: false, mlp: false },
  layerTypes: allFull,
  rope: sharedRope,
  normNames: PRE_NORMS,
  normOffset: 0,
  queryKeyNorm: false,
  headsDivideHidden: false,
  scaledEmbeddings: false,
} as const;

export const PLAIN_DEFAULTS: ModelConfig = {
  hidden_act: "silu",
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  tie_word_embeddings: false,
};

/** Rows in the order of transformers, no header keys of its own. */
export const PLAIN_GGUF = {
  interleavedRotary: false,
  ropeDivisors: false,
  asDeci: true,
  regularWindows: false,
  config: (): ModelConfig => ({}),
  header: (): GgufHeader => ({}),
} as const;

/** Mistral's GGUF files call themselves llama too; llama.cpp runs them without a window. */
export const LLAMA_GGUF: GgufTraits = {
  ...PLAIN_GGUF,
  architecture: "llama",
  interleavedRotary: true,
  ropeDivisors: true,
};
