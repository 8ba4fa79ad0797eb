// OPT: layer norms, learned positions that begin at row 2, an MLP without a gate.
import { CompError } from "../../errors.ts";
import type { ConfigFields } from "../config/config-fields.ts";
import type { DecoderTraits } from "../spec/decoder-spec.ts";
import { type Family, LAYER_NORM, LLAMA } from "./family.ts";

export const opt: Family = {
  ...LLAMA,
  modelType: "opt",
  architecture: "OPTForCausalLM",
  module: "opt",
  names: {
    ...LLAMA.names,
    keyValueHeads: null,
    headDim: null,
    intermediateSize: "ffn_dim",
    normEpsilon: "layer_norm_eps",
    activation: "activation_function",
  },
  defaults: {
    activation_function: "relu",
    layer_norm_eps: 1e-5,
    tie_word_embeddings: true,
    max_position_embeddings: 2048,
    enable_bias: true,
    do_layer_norm_before: true,
    layer_norm_elementwise_affine: true,
  },
  reads: () => ({ layer_norm_eps: 1e-5 }),
  refuses: [["_remove_final_layer_norm", "it has no norm after its last layer"]],
  bias: { qkv: "enable_bias", o: "enable_bias", mlp: "enable_bias" },
  positions: "learned",
  traits: optTraits,
  storage: {
    layers: "model.decoder.layers",
    modules: {
      attentionNorm: "self_attn_layer_norm",
      oProj: "self_attn.out_proj",
      mlpNorm: "final_layer_norm",
      upProj: "fc1",
      downProj: "fc2",
      embedTokens: "model.decoder.embed_tokens",
      positions: "model.decoder.embed_positions",
      finalNorm: "model.decoder.final_layer_norm",
    },
  },
  python: { layers: "model.decoder.layers", attention: "self_attn", mlp: null },
};

/** @throws {CompError} "architecture" for the variants of OPT-350m and Galactica */
function optTraits(fields: ConfigFields, hiddenSize: number): Partial<DecoderTraits> {
  const refuse = (what: string): CompError =>
    new CompError("architecture", `this model is not supported: ${what} (${fields.source})`);
  if (!fields.flag("do_layer_norm_before")) throw refuse("its norms stand behind the residual addition");
  if (!fields.flag("layer_norm_elementwise_affine")) throw refuse("its norms have no weights");
  if ((fields.get("word_embed_proj_dim") ?? hiddenSize) !== hiddenSize) throw refuse("its embeddings are projected");
  return { ...LAYER_NORM, gated: false, learnedPositions: { offset: 2 } };
}
