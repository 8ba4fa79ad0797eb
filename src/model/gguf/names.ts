// How llama.cpp names and stores the tensors of a model.
import type { GgufForm } from "../families/gguf-traits.ts";
import type { StorageRule } from "../storage/stored-tensors.ts";

/** The storage of a GGUF file: norms with their offset, rows of queries and keys in pairs where llama.cpp rotates neighbours. */
export const ggufStorage = ({
  interleavedRotary,
  modules,
}: Pick<GgufForm, "interleavedRotary" | "modules">): StorageRule => ({
  layers: "blk",
  modules: {
    attentionNorm: "attn_norm",
    qProj: "attn_q",
    kProj: "attn_k",
    vProj: "attn_v",
    qNorm: "attn_q_norm",
    kNorm: "attn_k_norm",
    qFullNorm: "attn_q_norm",
    kFullNorm: "attn_k_norm",
    oProj: "attn_output",
    convIn: "shortconv.in_proj",
    convKernel: "shortconv.conv",
    attentionOutputNorm: "post_attention_norm",
    mlpNorm: "ffn_norm",
    gateProj: "ffn_gate",
    upProj: "ffn_up",
    downProj: "ffn_down",
    sinks: "attn_sinks.weight",
    router: "ffn_gate_inp",
    routerCorrection: "exp_probs_b.bias",
    expertGate: "ffn_gate_exps",
    expertUp: "ffn_up_exps",
    expertDown: "ffn_down_exps",
    mlpOutputNorm: "post_ffw_norm",
    embedTokens: "token_embd",
    positions: "position_embd",
    finalNorm: "output_norm",
    lmHead: "output",
    ...modules,
  },
  ofMixer: { "short-convolution": { oProj: "shortconv.out_proj" } },
  rotaryPairs: interleavedRotary,
  addsNormOffset: true,
  flatKernels: true,
  ignored: /^rope_(freqs|factors_long|factors_short)\.weight$/,
});
