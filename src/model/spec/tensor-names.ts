// The tensors of a decoder: their roles, their names in a Hugging Face folder and in a GGUF file, and their shapes.
// Norms are named by what they do, because the same file name means different norms in different families.
import type { DecoderSpec, LayerSpec, NormRole } from "./decoder-spec.ts";

/** What a tensor does in a decoder layer. */
export type LayerRole =
  | NormRole
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
  | "gateProj"
  | "gateBias"
  | "upProj"
  | "upBias"
  | "downProj"
  | "downBias";

/** What a tensor does outside the layers. */
export type GlobalRole = "embedTokens" | "finalNorm" | "lmHead";

/** The parts of a model by which parameters are counted. */
export type Part = "embeddings" | "attention" | "mlp" | "norms" | "head";

/** The sizes that shapes are made of. */
export type Dimension = "vocab" | "hidden" | "intermediate" | "query" | "keyValue" | "head";

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

/** The two parts of a layer, each of which reads the residual stream and adds to it. */
export type Sublayer = "attention" | "mlp";

interface LayerRoleTraits {
  /** A sublayer of width 0 has none of its tensors. */
  readonly sublayer: Sublayer;
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

/** In the order in which a layer uses them. */
const LAYER_ROLES: Readonly<Record<LayerRole, LayerRoleTraits>> = {
  attentionNorm: layerNorm("attention", "attentionNorm", "attn_norm"),
  qProj: weight("attention", "self_attn.q_proj", "attn_q", ["query", "hidden"]),
  qBias: bias("attention", "self_attn.q_proj", "attn_q", "query", qkvBias),
  kProj: weight("attention", "self_attn.k_proj", "attn_k", ["keyValue", "hidden"]),
  kBias: bias("attention", "self_attn.k_proj", "attn_k", "keyValue", qkvBias),
  vProj: weight("attention", "self_attn.v_proj", "attn_v", ["keyValue", "hidden"]),
  vBias: bias("attention", "self_attn.v_proj", "attn_v", "keyValue", qkvBias),
  qNorm: headNorm("self_attn.q_norm", "attn_q_norm"),
  kNorm: headNorm("self_attn.k_norm", "attn_k_norm"),
  oProj: weight("attention", "self_attn.o_proj", "attn_output", ["hidden", "query"]),
  oBias: bias("attention", "self_attn.o_proj", "attn_output", "hidden", oBias),
  attentionOutputNorm: layerNorm("attention", "attentionOutputNorm", "post_attention_norm"),
  mlpNorm: layerNorm("mlp", "mlpNorm", "ffn_norm"),
  gateProj: weight("mlp", "mlp.gate_proj", "ffn_gate", ["intermediate", "hidden"]),
  gateBias: bias("mlp", "mlp.gate_proj", "ffn_gate", "intermediate", mlpBias),
  upProj: weight("mlp", "mlp.up_proj", "ffn_up", ["intermediate", "hidden"]),
  upBias: bias("mlp", "mlp.up_proj", "ffn_up", "intermediate", mlpBias),
  downProj: weight("mlp", "mlp.down_proj", "ffn_down", ["hidden", "intermediate"]),
  downBias: bias("mlp", "mlp.down_proj", "ffn_down", "hidden", downBias),
  mlpOutputNorm: layerNorm("mlp", "mlpOutputNorm", "post_ffw_norm"),
};

function weight(sublayer: Sublayer, name: string, gguf: string, dimensions: readonly Dimension[]): LayerRoleTraits {
  const names = { name: () => `${name}.weight`, ggufName: `${gguf}.weight` };
  return { sublayer, part: sublayer, ...names, dimensions, present: always };
}

function bias(
  sublayer: Sublayer,
  name: string,
  gguf: string,
  dimension: Dimension,
  present: Condition,
): LayerRoleTraits {
  const names = { name: () => `${name}.bias`, ggufName: `${gguf}.bias` };
  return { sublayer, part: sublayer, ...names, dimensions: [dimension], present };
}

/** A norm over the residual stream, which families name each in their own way. */
function layerNorm(sublayer: Sublayer, role: NormRole, gguf: string): LayerRoleTraits {
  return {
    sublayer,
    part: "norms",
    name: (spec) => `${spec.normNames[role]}.weight`,
    ggufName: `${gguf}.weight`,
    dimensions: ["hidden"],
    present: (spec) => spec.normNames[role] !== undefined,
  };
}

/** A norm over each head's queries or keys. */
function headNorm(name: string, gguf: string): LayerRoleTraits {
  return { ...weight("attention", name, gguf, ["head"]), part: "norms", present: (spec) => spec.queryKeyNorm };
}

/** The part of a layer that a tensor belongs to; its norms included. */
export const sublayerOf = (role: LayerRole): Sublayer => LAYER_ROLES[role].sublayer;

/** Exactly the tensors of decoder layer `index`, in the order in which the layer uses them. */
export function layerTensors(spec: DecoderSpec, index: number): ExpectedTensor<LayerRole>[] {
  const layer = spec.layers[index]!;
  return (Object.entries(LAYER_ROLES) as [LayerRole, LayerRoleTraits][])
    .filter(([, traits]) => widthOf(layer, traits.sublayer) > 0 && traits.present(spec))
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

const widthOf = (layer: LayerSpec, sublayer: Sublayer): number =>
  sublayer === "attention" ? layer.numAttentionHeads : layer.intermediateSize;

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

/** Elements along a dimension of a tensor of `layer`. */
export function dimensionSize(dimension: Dimension, spec: DecoderSpec, layer: LayerSpec): number {
  switch (dimension) {
    case "vocab":
      return spec.vocabSize;
    case "hidden":
      return spec.hiddenSize;
    case "intermediate":
      return layer.intermediateSize;
    case "query":
      return layer.numAttentionHeads * spec.headDim;
    case "keyValue":
      return layer.numKeyValueHeads * spec.headDim;
    case "head":
      return spec.headDim;
  }
}

/** Where the size comes from, such as "num_attention_heads 4 × head_dim 8". */
export function describeDimension(dimension: Dimension, spec: DecoderSpec, layer: LayerSpec): string {
  switch (dimension) {
    case "vocab":
      return `vocab_size ${spec.vocabSize}`;
    case "hidden":
      return `hidden_size ${spec.hiddenSize}`;
    case "intermediate":
      return `intermediate_size ${layer.intermediateSize}`;
    case "query":
      return `num_attention_heads ${layer.numAttentionHeads} × head_dim ${spec.headDim}`;
    case "keyValue":
      return `num_key_value_heads ${layer.numKeyValueHeads} × head_dim ${spec.headDim}`;
    case "head":
      return `head_dim ${spec.headDim}`;
  }
}
