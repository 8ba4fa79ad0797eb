// The names under which config.json of a family has what all families have: Llama's, unless a family says otherwise.

export interface FieldNames {
  readonly hiddenSize: string;
  readonly layers: string;
  readonly heads: string;
  /** Null where every query head has its own keys and values. */
  readonly keyValueHeads: string | null;
  /** Null where transformers derives the size of a head from the number of heads, so that none of them can go. */
  readonly headDim: string | null;
  readonly intermediateSize: string;
  readonly positions: string;
  readonly normEpsilon: string;
  readonly activation: string;
}

export const LLAMA_FIELDS: FieldNames = {
  hiddenSize: "hidden_size",
  layers: "num_hidden_layers",
  heads: "num_attention_heads",
  keyValueHeads: "num_key_value_heads",
  headDim: "head_dim",
  intermediateSize: "intermediate_size",
  positions: "max_position_embeddings",
  normEpsilon: "rms_norm_eps",
  activation: "hidden_act",
};
