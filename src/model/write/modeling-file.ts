// The short modelling file of a Hugging Face folder that no stock class loads, because its layers differ in size or for its
// number of heads. transformers runs it with `trust_remote_code=True`.
import { DOWN_BIAS_FIELD } from "../config/biases.ts";
import { isObject, type ModelConfig } from "../config/config-fields.ts";
import { type LayerSizes, SIZE_LISTS, sizeLists } from "../config/layer-sizes.ts";
import type { Family } from "../families/family.ts";

const FILE = "modeling_comp";

/** Name of the modelling file in the folder. */
export const MODELING_FILE: string = `${FILE}.py`;

/** Whether a class in `auto_map` is the one of our modelling file, written by an earlier run. */
const isOurCode = (value: unknown): boolean => typeof value === "string" && value.startsWith(`${FILE}.`);

/** Whether a configuration names the class of the modelling file. */
export const needsModelingFile = ({ auto_map: autoMap }: ModelConfig): boolean =>
  isObject(autoMap) && Object.values(autoMap).some(isOurCode);

/** `auto_map` without the class that we write; undefined when nothing is left. */
export function ownAutoMap({ auto_map: autoMap }: ModelConfig): ModelConfig | undefined {
  const entries = isObject(autoMap) ? Object.entries(autoMap).filter(([, value]) => !isOurCode(value)) : [];
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/**
 * The fields of config.json beyond the stock ones: the sizes of each layer, and the class that understands them, beside
 * `classes` of the model's own.
 */
export const perLayerFields = (layers: readonly LayerSizes[], classes: ModelConfig = {}): ModelConfig => ({
  ...sizeLists(layers),
  intermediate_size: Math.max(...layers.map(({ intermediateSize }) => intermediateSize)),
  architectures: ["CompForCausalLM"],
  auto_map: { ...classes, AutoModelForCausalLM: `${FILE}.CompForCausalLM` },
});

/** The modelling file: the stock class of the family, each layer's attention and MLP replaced by ones of their own sizes. */
export function renderModelingFile({ architecture, module, normNames }: Family): string {
  const { intermediateSize, numAttentionHeads, numKeyValueHeads } = SIZE_LISTS;
  const attentionNorms = pythonList(normNames.attentionNorm, normNames.attentionOutputNorm);
  const mlpNorms = pythonList(normNames.mlpNorm, normNames.mlpOutputNorm);
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
            norms = ${attentionNorms} * (heads == 0) + ${mlpNorms} * (width == 0)
            for norm in norms:
                setattr(layer, norm, torch.nn.Identity())
        self.post_init()
`;
}

/** The names that there are, as a list in Python. */
const pythonList = (...names: readonly (string | undefined)[]): string =>
  `[${names.flatMap((name) => (name === undefined ? [] : `"${name}"`)).join(", ")}]`;
