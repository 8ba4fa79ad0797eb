// GPT-NeoX, Pythia among them: attention and MLP side by side, queries, keys and values fused head by head.
import { partialRope, type RopeRule, sharedRope } from "../config/rope-config.ts";
import { type Family, LAYER_NORM, LLAMA } from "./family.ts";
import { FUSED_QKV, PLAIN_GGUF } from "./gguf-traits.ts";

/** In fields of its own names. */
const neoxRope: RopeRule = {
  ...partialRope,
  fields: (rope, share) => {
    const { rope_theta, ...scaling } = sharedRope.fields(rope, 1);
    return { ...scaling, rotary_emb_base: rope_theta, rotary_pct: share };
  },
};

export const gptNeox: Family = {
  ...LLAMA,
  modelType: "gpt_neox",
  architecture: "GPTNeoXForCausalLM",
  module: "gpt_neox",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "gptneox",
    modules: FUSED_QKV,
    partialRotation: true,
    anyHeads: false,
    bias: { o: "always", mlp: "always" },
    head: "own",
    config: (header, { rotarySize, headDim }) => ({
      use_parallel_residual: header.flag("use_parallel_residual"),
      rotary_pct: rotarySize / headDim,
      rotary_emb_base: header.get("rope.freq_base"),
    }),
    header: ({ parallel }) => ({ use_parallel_residual: ["bool", parallel] }),
  },
  names: { ...LLAMA.names, keyValueHeads: null, headDim: null, normEpsilon: "layer_norm_eps" },
  defaults: {
    hidden_act: "gelu",
    layer_norm_eps: 1e-5,
    rotary_pct: 0.25,
    rotary_emb_base: 10_000,
    tie_word_embeddings: false,
    max_position_embeddings: 2048,
    use_parallel_residual: true,
    attention_bias: true,
  },
  reads: ({ rotary_pct, rotary_emb_base }) => ({ partial_rotary_factor: rotary_pct, rope_theta: rotary_emb_base }),
  headsDivideHidden: true,
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: true },
  rope: neoxRope,
  traits: (fields) => ({ ...LAYER_NORM, gated: false, parallel: fields.flag("use_parallel_residual") }),
  storage: {
    layers: "gpt_neox.layers",
    modules: {
      qProj: "attention.query_key_value",
      kProj: "attention.query_key_value",
      vProj: "attention.query_key_value",
      oProj: "attention.dense",
      upProj: "mlp.dense_h_to_4h",
      downProj: "mlp.dense_4h_to_h",
      embedTokens: "gpt_neox.embed_in",
      finalNorm: "gpt_neox.final_layer_norm",
      lmHead: "embed_out",
    },
    byHead: ["attention.query_key_value"],
    ignored: /\.attention\.(masked_bias|bias|rotary_emb\.inv_freq)$/,
  },
  python: { layers: "gpt_neox.layers", attention: "attention", mlp: "mlp", renames: true },
};
