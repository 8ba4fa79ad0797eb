// GPT-2: layer norms, learned positions, an MLP without a gate, and matrices stored as [in, out].
import { LIMITS } from "../config/limits.ts";
import { type Family, LAYER_NORM, LLAMA } from "./family.ts";
import { FUSED_QKV, PLAIN_GGUF } from "./gguf-traits.ts";

export const gpt2: Family = {
  ...LLAMA,
  modelType: "gpt2",
  architecture: "GPT2LMHeadModel",
  module: "gpt2",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "gpt2",
    modules: FUSED_QKV,
    anyHeads: false,
    bias: { o: "always", mlp: "always" },
  },
  names: {
    hiddenSize: "n_embd",
    layers: "n_layer",
    heads: "n_head",
    keyValueHeads: null,
    headDim: null,
    intermediateSize: "n_inner",
    positions: "n_positions",
    normEpsilon: "layer_norm_epsilon",
    activation: "activation_function",
  },
  defaults: {
    n_positions: 1024,
    n_embd: 768,
    n_layer: 12,
    n_head: 12,
    activation_function: "gelu_new",
    layer_norm_epsilon: 1e-5,
    tie_word_embeddings: true,
    scale_attn_weights: true,
  },
  refuses: [["scale_attn_by_inverse_layer_idx", "its scores are scaled by the number of the layer"]],
  bias: { qkv: true, o: true, mlp: true },
  width: (fields) =>
    fields.get("n_inner") === undefined
      ? 4 * fields.size("n_embd", LIMITS.hiddenSize)
      : fields.size("n_inner", LIMITS.intermediateSize),
  positions: "learned",
  traits: (fields) => ({
    ...LAYER_NORM,
    gated: false,
    learnedPositions: { offset: 0 },
    ...(fields.flag("scale_attn_weights") ? {} : { attentionScale: 1 }),
  }),
  storage: {
    layers: "transformer.h",
    transposed: true,
    modules: {
      attentionNorm: "ln_1",
      qProj: "attn.c_attn",
      kProj: "attn.c_attn",
      vProj: "attn.c_attn",
      oProj: "attn.c_proj",
      mlpNorm: "ln_2",
      upProj: "mlp.c_fc",
      downProj: "mlp.c_proj",
      embedTokens: "transformer.wte",
      positions: "transformer.wpe",
      finalNorm: "transformer.ln_f",
    },
    ignored: /\.attn\.(masked_)?bias$/,
  },
  python: { layers: "transformer.h", attention: "attn", mlp: "mlp" },
};
