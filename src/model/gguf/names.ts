// How llama.cpp names and stores the tensors of a model.
import type { StorageRule } from "../storage/stored-tensors.ts";
import type { GgufLayout } from "./layout.ts";

/** The storage of a GGUF file: norms with their offset, rows of queries and keys in pairs where llama.cpp rotates neighbours. */
export const ggufStorage = ({ interleavedRotary }: Pick<GgufLayout, "interleavedRotary">): StorageRule => ({
  layers: "blk",
  modules: {
    attentionNorm: "attn_norm",
    qProj: "attn_q",
    kProj: "attn_k",
    vProj: "attn_v",
    qNorm: "attn_q_norm",
    kNorm: "attn_k_norm",
    oProj: "attn_output",
    attentionOutputNorm: "post_attention_norm",
    mlpNorm: "ffn_norm",
    gateProj: "ffn_gate",
    upProj: "ffn_up",
    downProj: "ffn_down",
    mlpOutputNorm: "post_ffw_norm",
    embedTokens: "token_embd",
    finalNorm: "output_norm",
    lmHead: "output",
  },
  rotaryPairs: interleavedRotary,
  addsNormOffset: true,
  ignored: /^rope_freqs\.weight$/,
});
