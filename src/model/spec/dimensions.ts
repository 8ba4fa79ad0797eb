// The sizes that shapes of tensors are made of, and where each comes from.
import type { DecoderSpec } from "./decoder-spec.ts";
import { attentionOf, type LayerSpec, type Mixer, mixtureOf, sharedWidth } from "./parts.ts";

/** The sizes that shapes are made of. */
export type Dimension =
  | "vocab"
  | "positions"
  | "hidden"
  | "intermediate"
  | "query"
  | "keyValue"
  | "head"
  | "one"
  | "mixerInput"
  | "mixerChannels"
  | "mixerOutput"
  | "kernel"
  | "valueHeads"
  | "valueHead"
  | "queryHeads"
  | "experts"
  | "expertNeurons"
  | "expertOutputs"
  | "shared";

/** Elements along a dimension of a tensor of `layer`. */
export function dimensionSize(dimension: Dimension, spec: DecoderSpec, layer: LayerSpec): number {
  const attention = attentionOf(layer);
  switch (dimension) {
    case "vocab":
      return spec.vocabSize;
    case "positions":
      return spec.maxPositionEmbeddings + (spec.learnedPositions?.offset ?? 0);
    case "hidden":
      return spec.hiddenSize;
    case "intermediate":
      return layer.channel?.intermediateSize ?? 0;
    case "query":
      return (attention?.numAttentionHeads ?? 0) * spec.headDim;
    case "keyValue":
      return (attention?.numKeyValueHeads ?? 0) * spec.headDim;
    case "head":
      return spec.headDim;
    case "one":
      return 1;
    case "queryHeads":
      return attention?.numAttentionHeads ?? 0;
    case "experts":
    case "expertNeurons":
    case "expertOutputs":
    case "shared":
      return mixtureSize(dimension, spec, layer);
    default:
      return mixerSize(dimension, spec, layer.mixer);
  }
}

type MixtureDimension = "experts" | "expertNeurons" | "expertOutputs" | "shared";

/** Experts, and the rows of their matrices one after the other. */
function mixtureSize(dimension: MixtureDimension, { hiddenSize }: DecoderSpec, layer: LayerSpec): number {
  const mixture = mixtureOf(layer);
  if (mixture === undefined) return 0;
  const { numExperts: experts, intermediateSize } = mixture;
  return {
    experts,
    expertNeurons: experts * intermediateSize,
    expertOutputs: experts * hiddenSize,
    shared: sharedWidth(mixture),
  }[dimension];
}

type MixerDimension = "mixerInput" | "mixerChannels" | "mixerOutput" | "kernel" | "valueHeads" | "valueHead";

/** Sizes that mean something else in each mixer; 0 where they mean nothing. */
function mixerSize(dimension: MixerDimension, { hiddenSize, headDim }: DecoderSpec, mixer: Mixer | null): number {
  const none = { mixerInput: 0, mixerChannels: 0, mixerOutput: 0, kernel: 0, valueHeads: 0, valueHead: 0 };
  if (mixer === null) return 0;
  if (mixer.kind === "attention") return { ...none, mixerOutput: mixer.numAttentionHeads * headDim }[dimension];
  const kernel = mixer.kernelSize;
  if (mixer.kind === "short-convolution")
    return { ...none, kernel, mixerInput: 3 * hiddenSize, mixerChannels: hiddenSize, mixerOutput: hiddenSize }[
      dimension
    ];
  const { numKeyHeads, keyHeadDim, numValueHeads, valueHeadDim } = mixer;
  const mixerOutput = numValueHeads * valueHeadDim;
  const channels = 2 * numKeyHeads * keyHeadDim + mixerOutput;
  return {
    mixerInput: channels,
    mixerChannels: channels,
    mixerOutput,
    kernel,
    valueHeads: numValueHeads,
    valueHead: valueHeadDim,
  }[dimension];
}

/** Where the size comes from, such as "num_attention_heads 4 × head_dim 8". */
export function describeDimension(dimension: Dimension, spec: DecoderSpec, layer: LayerSpec): string {
  const attention = attentionOf(layer);
  // the sizes of other mixers have no field of their own
  const ownSize = (): string => `${dimensionSize(dimension, spec, layer)}`;
  switch (dimension) {
    case "vocab":
      return `vocab_size ${spec.vocabSize}`;
    case "hidden":
      return `hidden_size ${spec.hiddenSize}`;
    case "intermediate":
      return `intermediate_size ${layer.channel?.intermediateSize}`;
    case "query":
      return `num_attention_heads ${attention?.numAttentionHeads} × head_dim ${spec.headDim}`;
    case "keyValue":
      return `num_key_value_heads ${attention?.numKeyValueHeads} × head_dim ${spec.headDim}`;
    case "head":
      return `head_dim ${spec.headDim}`;
    case "mixerOutput":
      return attention === undefined ? ownSize() : describeDimension("query", spec, layer);
    default:
      return ownSize();
  }
}
