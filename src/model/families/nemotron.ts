// Nemotron: layer norms of weight + 1, half of each head rotated, an MLP with ReLU² and no gate.
import { partialRope } from "../config/rope-config.ts";
import { type Family, LAYER_NORM, LLAMA, LLAMA_DEFAULTS } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";

export const nemotron: Family = {
  ...LLAMA,
  modelType: "nemotron",
  architecture: "NemotronForCausalLM",
  module: "nemotron",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "nemotron",
    partialRotation: true,
    anyHeads: false,
    bias: { o: "either", mlp: "either" },
    head: "own",
  },
  names: { ...LLAMA.names, normEpsilon: "norm_eps" },
  defaults: {
    ...LLAMA_DEFAULTS,
    hidden_act: "relu2",
    norm_eps: 1e-5,
    max_position_embeddings: 4096,
    partial_rotary_factor: 0.5,
    attention_bias: false,
    mlp_bias: false,
  },
  bias: { qkv: "attention_bias", o: "attention_bias", mlp: "mlp_bias" },
  rope: partialRope,
  traits: () => ({ ...LAYER_NORM, normOffset: 1, gated: false }),
};
