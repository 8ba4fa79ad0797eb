// What distinguishes a model family, in config.json and in GGUF. Every row begins with `LLAMA` and says only what is different.
import type { BiasRule } from "../config/biases.ts";
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import { type FieldNames, LLAMA_FIELDS } from "../config/field-names.ts";
import { allFull, type LayerTypesRule } from "../config/layer-types.ts";
import type { MixtureRule } from "../config/mixture.ts";
import { type RopeRule, sharedRope } from "../config/rope-config.ts";
import { type DecoderSpec, type DecoderTraits, PRE_NORMS } from "../spec/decoder-spec.ts";
import type { LayerSpec, Mixer } from "../spec/parts.ts";
import { LLAMA_STORAGE, type StorageRule } from "../storage/stored-tensors.ts";
import type { GgufTraits } from "./gguf-traits.ts";

export interface Family {
  /** `model_type` of config.json. */
  readonly modelType: string;
  /** The class that transformers loads it with, for `architectures`. */
  readonly architecture: string;
  /** Where transformers keeps that class: transformers.models.MODULE.modeling_MODULE. */
  readonly module: string;
  /** Undefined where GGUF files of the family are neither read nor written. */
  readonly gguf?: GgufTraits;

  // config.json
  /** What the fields that all families have are called. */
  readonly names: FieldNames;
  /** The defaults of transformers for fields that config.json leaves out; sizes without a default must be given. */
  readonly defaults: ModelConfig;
  /** Fields that the class of transformers reads in another way than they are written. */
  readonly reads?: (config: ModelConfig) => ModelConfig;
  /** Fields that ask for what most families do not have, and this one has. */
  readonly knows?: readonly string[];
  /** Fields that, where they are true, ask for what is not supported of this family: what it is, and what may help. */
  readonly refuses?: readonly (readonly [key: string, what: string, hint?: string])[];
  /** Fields that follow from a cut besides the sizes; undefined drops a field. `layers` are those of the pruned model. */
  readonly prunedFields?: (config: ModelConfig, layers: readonly LayerSpec[]) => Readonly<Record<string, unknown>>;
  /** transformers 5 refuses a number of heads that does not divide the hidden size. */
  readonly headsDivideHidden: boolean;
  /** transformers 5 wants as many factors of longrope as hidden size and number of heads say, whatever the size of the heads. */
  readonly factorsFollowHeads?: boolean;

  // parts
  /** Traits that are not Llama's. */
  readonly traits: (fields: ConfigFields, hiddenSize: number) => Partial<DecoderTraits>;
  readonly bias: BiasRule;
  /** The type of each layer: whether its attention has a window, or which other mixer it has. */
  readonly layerTypes: LayerTypesRule;
  /** Mixers that are no attention, by the type of the layers that have them. */
  readonly mixers?: Readonly<Record<string, (fields: ConfigFields) => Mixer>>;
  /** Neurons of the MLPs, where that is not simply a field. */
  readonly width?: (fields: ConfigFields) => number;
  /** How the family's mixtures of experts are stated. */
  readonly mixture?: MixtureRule;
  readonly positions: "rotary" | "learned";
  readonly rope: RopeRule;
  /** Which layers rotate queries and keys, where not all do. */
  readonly rotates?: (fields: ConfigFields, types: readonly string[]) => readonly boolean[];

  // files
  readonly storage: StorageRule;
  readonly python: PythonNames;
}

/** Where the class of transformers has what a modelling file replaces. */
export interface PythonNames {
  /** The list of layers, from the model on. */
  readonly layers: string;
  /** In a layer. */
  readonly attention: string;
  /** In a layer; null where the MLP is part of the layer itself and cannot be left out. */
  readonly mlp: string | null;
  /** transformers 5 renames tensors of the class when it reads them, which a class of one's own has to ask for. */
  readonly renames?: boolean;
}

/** All traits of a Llama; its score scale and rotated size follow from the size of its heads. */
export const LLAMA_TRAITS: Omit<DecoderTraits, "attentionScale" | "rotarySize"> = {
  normKind: "rms",
  normOffset: 0,
  normBias: false,
  norms: PRE_NORMS,
  parallel: false,
  queryKeyNorm: "none",
  normsRotated: false,
  outputGate: false,
  queryGrowth: undefined,
  scoreCap: undefined,
  attentionSinks: false,
  logitCap: undefined,
  gated: true,
  clampedGate: undefined,
  routing: undefined,
  embeddingScale: 1,
  residualScale: 1,
  logitScale: 1,
  learnedPositions: undefined,
};

/** What most families share with Llama. */
export const LLAMA = {
  names: LLAMA_FIELDS,
  headsDivideHidden: false,
  traits: () => ({}),
  bias: { qkv: false, o: false, mlp: false },
  layerTypes: allFull,
  positions: "rotary",
  rope: sharedRope,
  storage: LLAMA_STORAGE,
  python: { layers: "model.layers", attention: "self_attn", mlp: "mlp" },
} as const satisfies Partial<Family>;

export const LLAMA_DEFAULTS: ModelConfig = {
  hidden_act: "silu",
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  tie_word_embeddings: false,
};

/** Norms with mean and bias. */
export const LAYER_NORM: Pick<DecoderTraits, "normKind" | "normBias"> = { normKind: "layer", normBias: true };

/** Why none of a model's attention heads can go; undefined where they can. */
export function whyHeadsStay(
  { queryKeyNorm }: Pick<DecoderSpec, "queryKeyNorm">,
  { names }: Pick<Family, "names">,
): string | undefined {
  if (queryKeyNorm === "all-heads") return "its norms of queries and keys span all heads";
  return names.headDim === null ? "transformers derives the size of its heads from their number" : undefined;
}
