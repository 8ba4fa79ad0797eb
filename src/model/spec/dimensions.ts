// The sizes that tensors are made of: their values in a decoder, and the words of config.json for them.
import type { DecoderSpec, LayerSpec } from "./decoder-spec.ts";

export type Dimension = "vocab" | "hidden" | "intermediate" | "query" | "keyValue" | "head";

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
