// A family as llama.cpp runs it: which of llama.cpp's architectures computes it, and how that one's files say so.
import type { GgufType } from "../../checkpoint/gguf-types.ts";
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import type { DecoderSpec, Routing } from "../spec/decoder-spec.ts";
import type { StorageRule } from "../storage/stored-tensors.ts";

/** An architecture of llama.cpp: how its files are stored, and what it knows of that which a config.json leaves open. */
export interface GgufForm {
  readonly architecture: string;
  /** Names of modules that are not the usual ones of gguf/names.ts. */
  readonly modules?: StorageRule["modules"];
  /** It rotates neighbouring elements, so that the rows of q and k are stored in another order. */
  readonly interleavedRotary: boolean;

  /** A divisor for each rotary frequency (`rope_freqs`), by which Llama 3's scaling is stored. */
  readonly ropeDivisors: boolean;
  /** Two factors for each rotary frequency (`rope_factors_long` and `_short`): the kind longrope. */
  readonly ropeFactors: boolean;
  /** Keys for the bounds of YaRN's ramp and for what it multiplies; without them the bounds are 32 turns and 1. */
  readonly yarnKeys: boolean;
  /** A rotation of a part of each head. */
  readonly partialRotation: boolean;
  /** Heads that together are not as wide as the hidden states. */
  readonly anyHeads: boolean;
  /** Biases of o_proj, and of the MLP. Those of q, k and v all architectures know. */
  readonly bias: { readonly o: Presence; readonly mlp: Presence };
  /** What it knows of mixtures of experts; undefined where it has none. */
  readonly experts?: GgufExperts;
  /** It rounds the bounds of YaRN's ramp though the models that it is made for do not. */
  readonly roundsRamp?: boolean;
  /** A matrix of its own for the logits ("own"), the token embedding ("tied"), or either as the file has it. */
  readonly head: "own" | "tied" | "either";
}

/** How an architecture routes, as far as that is the same in all its files. */
export interface GgufExperts {
  readonly scores: Routing["scores"];
  /** The weights of the chosen experts are made to sum to 1. */
  readonly renormalised: boolean;
  /** The choice is corrected. */
  readonly correction: boolean;
  /** The first layers may have a plain MLP. */
  readonly denseFirst: boolean;
}

/** A softmax over the chosen, in all layers. */
export const CHOSEN_SOFTMAX: GgufExperts = {
  scores: "softmax",
  renormalised: true,
  correction: false,
  denseFirst: false,
};

/** Whether an architecture has a part: where the file has it, in every file, or never. */
export type Presence = "either" | "always" | "never";

export interface GgufTraits extends GgufForm {
  /** Key, unprefixed, by which a file of an architecture that several families share is this one's. */
  readonly mark?: string;
  /** llama.cpp's `deci`, whose layers may differ in width, computes the same function. */
  readonly asDeci: boolean;
  /** llama.cpp applies the windows of the layers; without this it applies none. */
  readonly windows: boolean;
  /** llama.cpp tells the kind of a layer from its position, so that none may go from between others. */
  readonly fixedOrder: (spec: DecoderSpec) => boolean;
  /** The field of config.json that says whether queries and keys have norms, where the tensors of a file tell. */
  readonly queryKeyNormField?: string;
  /** The header may scale embeddings, residuals, scores and logits. */
  readonly scales: boolean;
  /**
   * Fields of config.json beyond those that all families share, or instead of them. `header` has the architecture's keys,
   * unprefixed; `rotary` the fields on rotary embedding.
   */
  readonly config: (header: ConfigFields, sizes: HeaderSizes, rotary: ModelConfig) => ModelConfig;
  /** The header's keys for them, unprefixed. @throws {CompError} "architecture" for what llama.cpp cannot compute. */
  readonly header: (spec: DecoderSpec) => GgufHeader;
}

/** Values of a GGUF header by key, with their types. */
export type GgufHeader = Readonly<
  Record<string, readonly [type: GgufType, value: string | number | boolean | readonly (number | boolean)[]]>
>;

/** Sizes from which further fields follow. */
export interface HeaderSizes {
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly headDim: number;
  /** Elements of each head that are rotated. */
  readonly rotarySize: number;
}

/** Rows in the order of transformers, no header keys of its own, and nothing that not all architectures know. */
export const PLAIN_GGUF = {
  interleavedRotary: false,
  ropeDivisors: false,
  ropeFactors: false,
  yarnKeys: false,
  partialRotation: false,
  anyHeads: true,
  bias: { o: "never", mlp: "never" },
  head: "either",
  asDeci: false,
  windows: false,
  fixedOrder: (): boolean => false,
  scales: false,
  config: (): ModelConfig => ({}),
  header: (): GgufHeader => ({}),
} as const satisfies Omit<GgufTraits, "architecture">;

/** What llama.cpp's Llama and those made after it know. */
export const LLAMA_FORM = {
  interleavedRotary: true,
  ropeDivisors: true,
  ropeFactors: true,
  bias: { o: "either", mlp: "either" },
} as const satisfies Partial<GgufForm>;

/** Mistral's GGUF files call themselves llama too; llama.cpp runs them without a window. */
export const LLAMA_GGUF: GgufTraits = { ...PLAIN_GGUF, ...LLAMA_FORM, architecture: "llama", asDeci: true };

/** DeciLM: a Llama whose layers may differ in width, with biases where their tensors are there. */
export const DECI_FORM: GgufForm = { ...PLAIN_GGUF, ...LLAMA_FORM, architecture: "deci" };

/** Queries, keys and values in one matrix. */
export const FUSED_QKV = { qProj: "attn_qkv", kProj: "attn_qkv", vProj: "attn_qkv" } as const;
