// The tensors of a decoder: their roles, their names in a Hugging Face folder and in a GGUF file, and their shapes.
// Norms are named by what they do, because the same file name means different norms in different families.
import type { DecoderSpec, LayerSpec } from "./decoder-spec.ts";
import { type Dimension, dimensionSize } from "./dimensions.ts";

/** What a tensor does in a decoder layer. `attentionNorm` and `mlpNorm` come before, the output norms after the part. */
export type LayerRole =
  | "attentionNorm"
  | "qProj"
  | "qBias"
  | "kProj"
  | "kBias"
  | "vProj"
  | "vBias"
  | "qNorm"
  | "kNorm"
  | "oProj"
  | "oBias"
  | "attentionOutputNorm"
  | "mlpNorm"
  | "gateProj"
  | "gateBias"
  | "upProj"
  | "upBias"
  | "downProj"
  | "downBias"
  | "mlpOutputNorm";

/** What a tensor does outside the layers. */
export type GlobalRole = "embedTokens" | "finalNorm" | "lmHead";

/** What a parameter is counted under. */
export type Part = "embeddings" | "attention" | "mlp" | "norms" | "head";

/** A tensor that a model of some spec must have. */
export interface ExpectedTensor<Role extends LayerRole | GlobalRole = LayerRole | GlobalRole> {
  readonly role: Role;
  readonly part: Part;
  /** In a Hugging Face folder. */
  readonly name: string;
  /** In a GGUF file. */
  readonly ggufName: string;
  /** Row-major, outermost first: [out, in] for a matrix. */
  readonly shape: readonly number[];
  readonly dimensions: readonly Dimension[];
  /** Decoder layer; undefined outside the layers. */
  readonly layer: number | undefined;
}

/** The two parts of a layer that write into the residual stream. */
export type Half = "attention" | "mlp";

interface LayerRoleTraits {
  /** A half of width 0 has none of its tensors. */
  readonly half: Half;
  readonly part: Part;
  /** After `model.layers.N.`. */
  readonly name: (spec: DecoderSpec) => string;
  /** After `blk.N.`. */
  readonly ggufName: string;
  readonly dimensions: readonly Dimension[];
  readonly present: (spec: DecoderSpec) => boolean;
}

type Condition = (spec: DecoderSpec) => boolean;
const always: Condition = () => true;
const qkvBias: Condition = (spec) => spec.bias.qkv;
const oBias: Condition = (spec) => spec.bias.o;
const mlpBias: Condition = (spec) => spec.bias.mlp;
const downBias: Condition = (spec) => spec.bias.down;
const queryKeyNorm: Condition = (spec) => spec.queryKeyNorm;
const sandwich: Condition = (spec) => spec.sandwichNorms;

const mlpNormName = (spec: DecoderSpec): string =>
  spec.sandwichNorms ? "pre_feedforward_layernorm" : "post_attention_layernorm";

/** In the order in which a layer uses them. */
const LAYER_ROLES: Readonly<Record<LayerRole, LayerRoleTraits>> = {
  attentionNorm: norm("attention", "input_layernorm", "attn_norm", "hidden", always),
  qProj: weight("attention", "self_attn.q_proj", "attn_q", ["query", "hidden"]),
  qBias: bias("attention", "self_attn.q_proj", "attn_q", "query", qkvBias),
  kProj: weight("attention", "self_attn.k_proj", "attn_k", ["keyValue", "hidden"]),
  kBias: bias("attention", "self_attn.k_proj", "attn_k", "keyValue", qkvBias),
  vProj: weight("attention", "self_attn.v_proj", "attn_v", ["keyValue", "hidden"]),
  vBias: bias("attention", "self_attn.v_proj", "attn_v", "keyValue", qkvBias),
  qNorm: norm("attention", "self_attn.q_norm", "attn_q_norm", "head", queryKeyNorm),
  kNorm: norm("attention", "self_attn.k_norm", "attn_k_norm", "head", queryKeyNorm),
  oProj: weight("attention", "self_attn.o_proj", "attn_output", ["hidden", "query"]),
  oBias: bias("attention", "self_attn.o_proj", "attn_output", "hidden", oBias),
  attentionOutputNorm: norm("attention", "post_attention_layernorm", "post_attention_norm", "hidden", sandwich),
  mlpNorm: norm("mlp", mlpNormName, "ffn_norm", "hidden", always),
  gateProj: weight("mlp", "mlp.gate_proj", "ffn_gate", ["intermediate", "hidden"]),
  gateBias: bias("mlp", "mlp.gate_proj", "ffn_gate", "intermediate", mlpBias),
  upProj: weight("mlp", "mlp.up_proj", "ffn_up", ["intermediate", "hidden"]),
  upBias: bias("mlp", "mlp.up_proj", "ffn_up", "intermediate", mlpBias),
  downProj: weight("mlp", "mlp.down_proj", "ffn_down", ["hidden", "intermediate"]),
  downBias: bias("mlp", "mlp.down_proj", "ffn_down", "hidden", downBias),
  mlpOutputNorm: norm("mlp", "post_feedforward_layernorm", "post_ffw_norm", "hidden", sandwich),
};

function weight(half: Half, name: string, gguf: string, dimensions: readonly Dimension[]): LayerRoleTraits {
  const names = { name: () => `${name}.weight`, ggufName: `${gguf}.weight` };
  return { half, part: half, ...names, dimensions, present: always };
}

function bias(half: Half, name: string, gguf: string, dimension: Dimension, present: Condition): LayerRoleTraits {
  const names = { name: () => `${name}.bias`, ggufName: `${gguf}.bias` };
  return { half, part: half, ...names, dimensions: [dimension], present };
}

function norm(
  half: Half,
  name: string | ((spec: DecoderSpec) => string),
  gguf: string,
  dimension: Dimension,
  present: Condition,
): LayerRoleTraits {
  const nameIn = (spec: DecoderSpec): string => `${typeof name === "string" ? name : name(spec)}.weight`;
  return { half, part: "norms", name: nameIn, ggufName: `${gguf}.weight`, dimensions: [dimension], present };
}

/** Exactly the tensors of decoder layer `index`, in the order in which the layer uses them. */
export function layerTensors(spec: DecoderSpec, index: number): ExpectedTensor<LayerRole>[] {
  const layer = spec.layers[index]!;
  return (Object.entries(LAYER_ROLES) as [LayerRole, LayerRoleTraits][])
    .filter(([, traits]) => halfWidth(layer, traits.half) > 0 && traits.present(spec))
    .map(([role, { part, name, ggufName, dimensions }]) => ({
      role,
      part,
      name: `model.layers.${index}.${name(spec)}`,
      ggufName: `blk.${index}.${ggufName}`,
      shape: dimensions.map((dimension) => dimensionSize(dimension, spec, layer)),
      dimensions,
      layer: index,
    }));
}

const halfWidth = (layer: LayerSpec, half: Half): number =>
  half === "attention" ? layer.numAttentionHeads : layer.intermediateSize;

type GlobalTensor = ExpectedTensor<GlobalRole>;

/** The token embedding, [vocabSize, hiddenSize]. */
export const embeddingTensor = (spec: DecoderSpec): GlobalTensor =>
  globalTensor(spec, "embedTokens", "embeddings", "model.embed_tokens.weight", "token_embd.weight", "vocab", "hidden");

/** The norm after the last layer, [hiddenSize]. */
export const finalNormTensor = (spec: DecoderSpec): GlobalTensor =>
  globalTensor(spec, "finalNorm", "norms", "model.norm.weight", "output_norm.weight", "hidden");

/** The matrix [vocabSize, hiddenSize] that gives the logits: the token embedding where the two are tied. */
export const headTensor = (spec: DecoderSpec): GlobalTensor =>
  spec.tiedEmbeddings
    ? embeddingTensor(spec)
    : globalTensor(spec, "lmHead", "head", "lm_head.weight", "output.weight", "vocab", "hidden");

function globalTensor(
  spec: DecoderSpec,
  role: GlobalRole,
  part: Part,
  name: string,
  ggufName: string,
  ...dimensions: ("vocab" | "hidden")[]
): GlobalTensor {
  const shape = dimensions.map((dimension) => (dimension === "vocab" ? spec.vocabSize : spec.hiddenSize));
  return { role, part, name, ggufName, shape, dimensions, layer: undefined };
}

/** Every tensor of the model, once: embedding, layers in order, final norm, and the head unless it is the embedding. */
export function modelTensors(spec: DecoderSpec): ExpectedTensor[] {
  const layers = spec.layers.flatMap((_, index) => layerTensors(spec, index));
  const head = spec.tiedEmbeddings ? [] : [headTensor(spec)];
  return [embeddingTensor(spec), ...layers, finalNormTensor(spec), ...head];
}
