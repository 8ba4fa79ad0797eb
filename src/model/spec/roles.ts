// What the tensors of a decoder do: the modules of a layer, their weights and biases, and which of them a layer has. Norms are named
// by what they do, because the same file name means different norms in different families.
import type { DecoderSpec, NormRole } from "./decoder-spec.ts";
import type { Dimension } from "./dimensions.ts";
import type { LayerSpec } from "./parts.ts";

/** The modules of a decoder layer: each has a weight, some have a bias. */
export type LayerModule =
  | NormRole
  | "qProj"
  | "qGate"
  | "kProj"
  | "vProj"
  | "qNorm"
  | "kNorm"
  | "qHeadNorms"
  | "kHeadNorms"
  | "qFullNorm"
  | "kFullNorm"
  | "oProj"
  | "convIn"
  | "convKernel"
  | "deltaProj"
  | "deltaGate"
  | "deltaBeta"
  | "deltaDecay"
  | "deltaRate"
  | "deltaStep"
  | "deltaNorm"
  | "gateProj"
  | "upProj"
  | "downProj";

/** What a tensor does in a decoder layer: the weight of a module, or its bias. */
export type LayerRole =
  | LayerModule
  | `${NormRole}Bias`
  | "qBias"
  | "kBias"
  | "vBias"
  | "oBias"
  | "convInBias"
  | "convKernelBias"
  | "gateBias"
  | "upBias"
  | "downBias";

/** The modules outside the layers. */
export type GlobalModule = "embedTokens" | "positions" | "finalNorm" | "lmHead";

/** What a tensor does outside the layers. */
export type GlobalRole = GlobalModule | "finalNormBias";

export type Module = LayerModule | GlobalModule;
export type Role = LayerRole | GlobalRole;

/** The parts of a model by which parameters are counted. */
export type Part = "embeddings" | "attention" | "mlp" | "norms" | "head";

/** The two parts of a layer, each of which reads the residual stream and adds to it: its token mixer and its channel mixer. */
export type Sublayer = "attention" | "mlp";

export interface LayerRoleTraits {
  /** An absent sublayer has none of its tensors. */
  readonly sublayer: Sublayer;
  readonly part: Part;
  readonly module: LayerModule;
  readonly suffix: string;
  readonly dimensions: readonly Dimension[];
  readonly present: Condition;
}

type Condition = (spec: DecoderSpec, layer: LayerSpec) => boolean;
const always: Condition = () => true;
const isAttention: Condition = (_, { mixer }) => mixer?.kind === "attention";
const isConvolution: Condition = (_, { mixer }) => mixer?.kind === "short-convolution";
const isDelta: Condition = (_, { mixer }) => mixer?.kind === "gated-delta";
const both =
  (...conditions: readonly Condition[]): Condition =>
  (spec, layer) =>
    conditions.every((condition) => condition(spec, layer));
const qkvBias = both(isAttention, ({ bias }) => bias.qkv);
const convBias: Condition = (_, { mixer }) => mixer?.kind === "short-convolution" && mixer.bias;
const normedBy = (kind: DecoderSpec["queryKeyNorm"]): Condition =>
  both(isAttention, (spec) => spec.queryKeyNorm === kind);
const gated: Condition = (spec) => spec.gated;
const mlpBias: Condition = ({ bias }) => bias.mlp;

/** In the order in which a layer uses them. */
export const LAYER_ROLES: Readonly<Record<LayerRole, LayerRoleTraits>> = {
  attentionNorm: layerNorm("attention", "attentionNorm"),
  attentionNormBias: layerNormBias("attention", "attentionNorm"),
  qProj: weight("attention", "qProj", ["query", "hidden"], isAttention),
  qBias: bias("attention", "qProj", "query", qkvBias),
  qGate: weight(
    "attention",
    "qGate",
    ["query", "hidden"],
    both(isAttention, (spec) => spec.outputGate),
  ),
  kProj: weight("attention", "kProj", ["keyValue", "hidden"], isAttention),
  kBias: bias("attention", "kProj", "keyValue", qkvBias),
  vProj: weight("attention", "vProj", ["keyValue", "hidden"], isAttention),
  vBias: bias("attention", "vProj", "keyValue", qkvBias),
  qNorm: queryKeyNorm("qNorm", "head", "head"),
  kNorm: queryKeyNorm("kNorm", "head", "head"),
  qHeadNorms: queryKeyNorm("qHeadNorms", "query", "each-head"),
  kHeadNorms: queryKeyNorm("kHeadNorms", "keyValue", "each-head"),
  qFullNorm: queryKeyNorm("qFullNorm", "query", "all-heads"),
  kFullNorm: queryKeyNorm("kFullNorm", "keyValue", "all-heads"),
  convIn: weight("attention", "convIn", ["mixerInput", "hidden"], isConvolution),
  convInBias: bias("attention", "convIn", "mixerInput", convBias),
  deltaProj: weight("attention", "deltaProj", ["mixerInput", "hidden"], isDelta),
  deltaGate: weight("attention", "deltaGate", ["mixerOutput", "hidden"], isDelta),
  deltaBeta: weight("attention", "deltaBeta", ["valueHeads", "hidden"], isDelta),
  deltaDecay: weight("attention", "deltaDecay", ["valueHeads", "hidden"], isDelta),
  convKernel: weight(
    "attention",
    "convKernel",
    ["mixerChannels", "one", "kernel"],
    (spec, layer) => isConvolution(spec, layer) || isDelta(spec, layer),
  ),
  convKernelBias: bias("attention", "convKernel", "mixerChannels", convBias),
  deltaRate: { ...weight("attention", "deltaRate", ["valueHeads"], isDelta), suffix: "" },
  deltaStep: { ...weight("attention", "deltaStep", ["valueHeads"], isDelta), suffix: "" },
  deltaNorm: { ...weight("attention", "deltaNorm", ["valueHead"], isDelta), part: "norms" },
  oProj: weight("attention", "oProj", ["hidden", "mixerOutput"], always),
  oBias: bias(
    "attention",
    "oProj",
    "hidden",
    (spec, layer) => convBias(spec, layer) || both(isAttention, () => spec.bias.o)(spec, layer),
  ),
  attentionOutputNorm: layerNorm("attention", "attentionOutputNorm"),
  attentionOutputNormBias: layerNormBias("attention", "attentionOutputNorm"),
  mlpNorm: layerNorm("mlp", "mlpNorm"),
  mlpNormBias: layerNormBias("mlp", "mlpNorm"),
  gateProj: weight("mlp", "gateProj", ["intermediate", "hidden"], gated),
  gateBias: bias("mlp", "gateProj", "intermediate", both(gated, mlpBias)),
  upProj: weight("mlp", "upProj", ["intermediate", "hidden"], always),
  upBias: bias("mlp", "upProj", "intermediate", mlpBias),
  downProj: weight("mlp", "downProj", ["hidden", "intermediate"], always),
  downBias: bias("mlp", "downProj", "hidden", ({ bias }) => bias.down),
  mlpOutputNorm: layerNorm("mlp", "mlpOutputNorm"),
  mlpOutputNormBias: layerNormBias("mlp", "mlpOutputNorm"),
};

function weight(
  sublayer: Sublayer,
  module: LayerModule,
  dimensions: readonly Dimension[],
  present: Condition,
): LayerRoleTraits {
  return { sublayer, part: sublayer, module, suffix: ".weight", dimensions, present };
}

function bias(sublayer: Sublayer, module: LayerModule, dimension: Dimension, present: Condition): LayerRoleTraits {
  return { sublayer, part: sublayer, module, suffix: ".bias", dimensions: [dimension], present };
}

/** A norm over the residual stream, or over what a sublayer adds to it. */
function layerNorm(sublayer: Sublayer, role: NormRole): LayerRoleTraits {
  return { ...weight(sublayer, role, ["hidden"], ({ norms }) => norms.includes(role)), part: "norms" };
}

function layerNormBias(sublayer: Sublayer, role: NormRole): LayerRoleTraits {
  const present: Condition = ({ norms, normBias }) => normBias && norms.includes(role);
  return { ...bias(sublayer, role, "hidden", present), part: "norms" };
}

function queryKeyNorm(module: LayerModule, dimension: Dimension, kind: DecoderSpec["queryKeyNorm"]): LayerRoleTraits {
  return { ...weight("attention", module, [dimension], normedBy(kind)), part: "norms" };
}

/** The names of the modules in a Llama, and such as it might have: by these a tensor is called here, whatever its file says. */
export const MODULE_NAMES: Readonly<Record<Module, string>> = {
  attentionNorm: "input_layernorm",
  attentionOutputNorm: "attention_output_layernorm",
  mlpNorm: "post_attention_layernorm",
  mlpOutputNorm: "mlp_output_layernorm",
  qProj: "self_attn.q_proj",
  qGate: "self_attn.q_gate",
  kProj: "self_attn.k_proj",
  vProj: "self_attn.v_proj",
  qNorm: "self_attn.q_norm",
  kNorm: "self_attn.k_norm",
  qHeadNorms: "self_attn.q_norms",
  kHeadNorms: "self_attn.k_norms",
  qFullNorm: "self_attn.q_norm",
  kFullNorm: "self_attn.k_norm",
  oProj: "self_attn.o_proj",
  convIn: "conv.in_proj",
  convKernel: "conv.conv",
  deltaProj: "linear_attn.in_proj_qkv",
  deltaGate: "linear_attn.in_proj_z",
  deltaBeta: "linear_attn.in_proj_b",
  deltaDecay: "linear_attn.in_proj_a",
  deltaRate: "linear_attn.A_log",
  deltaStep: "linear_attn.dt_bias",
  deltaNorm: "linear_attn.norm",
  gateProj: "mlp.gate_proj",
  upProj: "mlp.up_proj",
  downProj: "mlp.down_proj",
  embedTokens: "model.embed_tokens",
  positions: "model.embed_positions",
  finalNorm: "model.norm",
  lmHead: "lm_head",
};

/** The part of a layer that a tensor belongs to; its norms included. */
export const sublayerOf = (role: LayerRole): Sublayer => LAYER_ROLES[role].sublayer;

/** Whether a layer has a sublayer. */
export const hasSublayer = (name: Sublayer, { mixer, channel }: Pick<LayerSpec, "mixer" | "channel">): boolean =>
  (name === "attention" ? mixer : channel) !== null;
