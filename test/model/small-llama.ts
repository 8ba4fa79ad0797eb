// The configuration of a Llama as small as one can be with heads that share keys and values.

export const SMALL_LLAMA = {
  model_type: "llama",
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 10,
} as const;
