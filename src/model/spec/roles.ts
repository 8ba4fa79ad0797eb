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
  | "sinks"
  | "gateProj"
  | "upProj"
  | "downProj"
  | "router"
  | "routerCorrection"
  | "expertGate"
  | "expertUp"
  | "expertDown"
  | "sharedGate"
  | "sharedUp"
  | "sharedDown"
  | "sharedSwitch";

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
  | "downBias"
  | "routerBias"
  | "expertGateBias"
  | "expertUpBias"
  | "expertDownBias";

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
  /** Of what the experts of a mixture have each, one below the other: what it is in an MLP. */
  readonly ofExpert?: ExpertRole | undefined;
}

/** What the tensors of one expert do, as in an MLP. */
export type ExpertRole = "gateProj" | "upProj" | "downProj" | "gateBias" | "upBias" | "downBias";

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
const isMlp: Condition = (_, { channel }) => channel?.kind === "mlp";
const gated = both(isMlp, (spec) => spec.gated);
const mlpBias: Condition = ({ bias }) => bias.mlp;
const isMixture: Condition = (_, { channel }) => channel?.kind === "mixture";
const expertBias = both(isMixture, ({ routing }) => routing?.expertBias === true);
const isShared: Condition = (_, { channel }) => channel?.kind === "mixture" && channel.shared !== undefined;

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
  sinks: {
    ...weight(
      "attention",
      "sinks",
      ["queryHeads"],
      both(isAttention, (spec) => spec.attentionSinks),
    ),
    suffix: "",
  },
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
  upProj: weight("mlp", "upProj", ["intermediate", "hidden"], isMlp),
  upBias: bias("mlp", "upProj", "intermediate", both(isMlp, mlpBias)),
  downProj: weight("mlp", "downProj", ["hidden", "intermediate"], isMlp),
  downBias: bias(
    "mlp",
    "downProj",
    "hidden",
    both(isMlp, ({ bias }) => bias.down),
  ),
  router: weight("mlp", "router", ["experts", "hidden"], isMixture),
  routerBias: bias(
    "mlp",
    "router",
    "experts",
    both(isMixture, ({ routing }) => routing?.bias === true),
  ),
  routerCorrection: {
    ...bias(
      "mlp",
      "routerCorrection",
      "experts",
      both(isMixture, ({ routing }) => routing?.correction === true),
    ),
    suffix: "",
  },
  expertGate: ofExpert("gateProj", weight("mlp", "expertGate", ["expertNeurons", "hidden"], isMixture)),
  expertGateBias: ofExpert("gateBias", bias("mlp", "expertGate", "expertNeurons", expertBias)),
  expertUp: ofExpert("upProj", weight("mlp", "expertUp", ["expertNeurons", "hidden"], isMixture)),
  expertUpBias: ofExpert("upBias", bias("mlp", "expertUp", "expertNeurons", expertBias)),
  expertDown: ofExpert("downProj", weight("mlp", "expertDown", ["expertOutputs", "intermediate"], isMixture)),
  expertDownBias: ofExpert("downBias", bias("mlp", "expertDown", "expertOutputs", expertBias)),
  sharedGate: weight("mlp", "sharedGate", ["shared", "hidden"], isShared),
  sharedUp: weight("mlp", "sharedUp", ["shared", "hidden"], isShared),
  sharedDown: weight("mlp", "sharedDown", ["hidden", "shared"], isShared),
  sharedSwitch: weight(
    "mlp",
    "sharedSwitch",
    ["one", "hidden"],
    (_, { channel }) => channel?.kind === "mixture" && channel.shared?.gated === true,
  ),
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

function ofExpert(role: ExpertRole, traits: LayerRoleTraits): LayerRoleTraits {
  return { ...traits, ofExpert: role };
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

/** The part of a layer that a tensor belongs to; its norms included. */
export const sublayerOf = (role: LayerRole): Sublayer => LAYER_ROLES[role].sublayer;

/** Whether a layer has a sublayer. */
export const hasSublayer = (name: Sublayer, { mixer, channel }: Pick<LayerSpec, "mixer" | "channel">): boolean =>
  (name === "attention" ? mixer : channel) !== null;
