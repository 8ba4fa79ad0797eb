// The tensors of a decoder: their roles, the names by which this program calls them, and their shapes. The names are Llama's;
// where and how a file stores them is in storage/.
import { type DecoderSpec, sharesNorm } from "./decoder-spec.ts";
import { type Dimension, dimensionSize } from "./dimensions.ts";
import { MODULE_NAMES } from "./module-names.ts";
import { type LayerSpec, mixtureOf } from "./parts.ts";
import {
  type GlobalModule,
  type GlobalRole,
  hasSublayer,
  LAYER_ROLES,
  type LayerRole,
  type LayerRoleTraits,
  type Module,
  type Part,
  type Role,
} from "./roles.ts";

/** A tensor that a model of some spec must have. */
export interface ExpectedTensor<R extends Role = Role> {
  readonly role: R;
  readonly module: Module;
  /** Follows the module's name in a file: ".weight", ".bias", or nothing. */
  readonly suffix: string;
  readonly part: Part;
  readonly name: string;
  /** Row-major, outermost first: [out, in] for a matrix. */
  readonly shape: readonly number[];
  readonly dimensions: readonly Dimension[];
  /** Decoder layer; undefined outside the layers. */
  readonly layer: number | undefined;
  /** Of how many experts it holds a part each, one below the other; absent where it is no part of experts. */
  readonly experts?: number | undefined;
}

/** A norm that both sublayers of a parallel layer read stays for either. */
function isUsed({ sublayer, module }: LayerRoleTraits, spec: DecoderSpec, layer: LayerSpec): boolean {
  const isShared = module === "attentionNorm" && sharesNorm(spec);
  return hasSublayer(sublayer, layer) || (isShared && hasSublayer("mlp", layer));
}

/** Exactly the tensors of decoder layer `index`, in the order in which the layer uses them. */
export function layerTensors(spec: DecoderSpec, index: number): ExpectedTensor<LayerRole>[] {
  const layer = spec.layers[index]!;
  return (Object.entries(LAYER_ROLES) as [LayerRole, LayerRoleTraits][])
    .filter(([, traits]) => isUsed(traits, spec, layer) && traits.present(spec, layer))
    .map(([role, { module, suffix, part, dimensions, ofExpert }]) => ({
      role,
      module,
      suffix,
      part,
      name: `model.layers.${index}.${MODULE_NAMES[module]}${suffix}`,
      shape: dimensions.map((dimension) => dimensionSize(dimension, spec, layer)),
      dimensions,
      layer: index,
      ...(ofExpert && { experts: mixtureOf(layer)!.numExperts }),
    }));
}

type GlobalTensor = ExpectedTensor<GlobalRole>;

/** The token embedding, [vocabSize, hiddenSize]. */
export const embeddingTensor = (spec: DecoderSpec): GlobalTensor =>
  globalTensor(spec, "embedTokens", "embeddings", "vocab", "hidden");

/** The learned vectors of positions, [maxPositionEmbeddings + offset, hiddenSize]; undefined where there are none. */
export const positionTensor = (spec: DecoderSpec): GlobalTensor | undefined =>
  spec.learnedPositions && globalTensor(spec, "positions", "embeddings", "positions", "hidden");

/** The norm after the last layer: its weight, and its bias where it has one. [hiddenSize] */
export const finalNormTensors = (spec: DecoderSpec): GlobalTensor[] => {
  const weight = globalTensor(spec, "finalNorm", "norms", "hidden");
  const name = `${MODULE_NAMES.finalNorm}.bias`;
  return spec.normBias ? [weight, { ...weight, role: "finalNormBias", suffix: ".bias", name }] : [weight];
};

/** The matrix [vocabSize, hiddenSize] that gives the logits: the token embedding where the two are tied. */
export const headTensor = (spec: DecoderSpec): GlobalTensor =>
  spec.tiedEmbeddings ? embeddingTensor(spec) : globalTensor(spec, "lmHead", "head", "vocab", "hidden");

function globalTensor(
  spec: DecoderSpec,
  module: GlobalModule,
  part: Part,
  ...dimensions: ("vocab" | "positions" | "hidden")[]
): GlobalTensor {
  const sizes = {
    vocab: spec.vocabSize,
    positions: spec.maxPositionEmbeddings + (spec.learnedPositions?.offset ?? 0),
    hidden: spec.hiddenSize,
  };
  const shape = dimensions.map((dimension) => sizes[dimension]);
  const name = `${MODULE_NAMES[module]}.weight`;
  return { role: module, module, suffix: ".weight", part, name, shape, dimensions, layer: undefined };
}

/** Every tensor of the model, once: embeddings, layers in order, final norm, and the head unless it is the embedding. */
export function modelTensors(spec: DecoderSpec): ExpectedTensor[] {
  const layers = spec.layers.flatMap((_, index) => layerTensors(spec, index));
  const head = spec.tiedEmbeddings ? [] : [headTensor(spec)];
  const positions = positionTensor(spec);
  return [embeddingTensor(spec), ...(positions ? [positions] : []), ...layers, ...finalNormTensors(spec), ...head];
}
