// A Hugging Face folder whose layers differ in size, or whose heads the stock class refuses, brings a short modelling file, which
// `trust_remote_code=True` allows transformers to use.
import type { ModelConfig } from "../config/config-fields.ts";
import { type LayerSizes, SIZE_LISTS, sizeLists } from "../config/layer-sizes.ts";
import { DOWN_BIAS_FIELD } from "../config/mlp-bias.ts";
import type { Family } from "../families/index.ts";

const FILE = "modeling_comp";

/** Name of the modelling file in the folder. */
export const MODELING_FILE: string = `${FILE}.py`;

const MODULES: Readonly<Record<string, string>> = { gemma3_text: "gemma3" };

/** What config.json says beyond the stock fields: the sizes of each layer, and the class that understands them. */
export const perLayerFields = (layers: readonly LayerSizes[]): ModelConfig => ({
  ...sizeLists(layers),
  intermediate_size: Math.max(...layers.map(({ intermediateSize }) => intermediateSize)),
  architectures: ["CompForCausalLM"],
  auto_map: { AutoModelForCausalLM: `${FILE}.CompForCausalLM` },
});

/** The modelling file: the stock class of the family, each layer's attention and MLP made anew at their own sizes. */
export function renderModelingFile({ modelType, architecture, sandwichNorms }: Family): string {
  const module = MODULES[modelType] ?? modelType;
  const { intermediateSize, numAttentionHeads, numKeyValueHeads } = SIZE_LISTS;
  const attentionNorms = ["input_layernorm", ...(sandwichNorms ? ["post_attention_layernorm"] : [])];
  const mlpNorms = sandwichNorms
    ? ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    : ["post_attention_layernorm"];
  return `"""${architecture} whose layers differ in size: config.${intermediateSize}, ${numAttentionHeads} and
${numKeyValueHeads} say how, 0 for a part that is absent. Load with trust_remote_code=True."""
import copy

import torch
from transformers.models.${module}.modeling_${module} import ${architecture}


class NoAttention(torch.nn.Module):
    def __init__(self, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx

    def forward(self, hidden_states, past_key_values=None, **kwargs):
        if past_key_values is not None:  # the first layer tells how many tokens the cache holds
            nothing = hidden_states.new_zeros(hidden_states.shape[0], 1, hidden_states.shape[1], 1)
            past_key_values.update(nothing, nothing, self.layer_idx)
        return torch.zeros_like(hidden_states), None


class NoMLP(torch.nn.Module):
    def forward(self, hidden_states):
        return torch.zeros_like(hidden_states)


class CompForCausalLM(${architecture}):
    def __init__(self, config):
        super().__init__(config)
        sizes = zip(config.${intermediateSize}, config.${numAttentionHeads}, config.${numKeyValueHeads})
        for index, (layer, (width, heads, key_value_heads)) in enumerate(zip(self.model.layers, sizes)):
            own = copy.deepcopy(config)
            own.intermediate_size, own.num_attention_heads, own.num_key_value_heads = width, heads, key_value_heads
            layer.mlp = type(layer.mlp)(own) if width else NoMLP()
            if width and getattr(config, "${DOWN_BIAS_FIELD}", False):
                layer.mlp.down_proj = torch.nn.Linear(width, config.hidden_size)
            layer.self_attn = type(layer.self_attn)(own, index) if heads else NoAttention(index)
            norms = ${pythonList(attentionNorms)} * (heads == 0) + ${pythonList(mlpNorms)} * (width == 0)
            for norm in norms:
                setattr(layer, norm, torch.nn.Identity())
        self.post_init()
`;
}

const pythonList = (names: readonly string[]): string => `[${names.map((name) => `"${name}"`).join(", ")}]`;
