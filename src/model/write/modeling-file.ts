// The short modelling file of a Hugging Face folder that no stock class loads, because its layers differ in size or for its
// number of heads. transformers runs it with `trust_remote_code=True`.
import { DOWN_BIAS_FIELD } from "../config/biases.ts";
import { isObject, type ModelConfig } from "../config/config-fields.ts";
import { SIZE_LISTS, sizeLists, widestMlp } from "../config/layer-sizes.ts";
import type { Family } from "../families/family.ts";
import { type DecoderSpec, type NormRole, sharesNorm } from "../spec/decoder-spec.ts";
import { MODULE_NAMES } from "../spec/module-names.ts";
import type { LayerSpec } from "../spec/parts.ts";
import { type BaseClass, familyClass } from "./base-class.ts";

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

/** `auto_map` for a class in the modelling file. */
export const ourAutoMap = ({ auto, ours }: BaseClass): ModelConfig =>
  Object.fromEntries(auto.map((name) => [name, `${FILE}.${ours}`]));

/**
 * The fields of config.json beyond the stock ones: the sizes of each layer, and the class that understands them, beside
 * `classes` of the model's own.
 */
export const perLayerFields = (
  family: Family,
  layers: readonly LayerSpec[],
  classes: ModelConfig = {},
): ModelConfig => ({
  ...sizeLists(layers),
  [family.names.intermediateSize]: widestMlp(layers),
  architectures: [familyClass(family).ours],
  auto_map: { ...classes, ...ourAutoMap(familyClass(family)) },
});

/** The modelling file: the stock class of the family, or the one around it, each layer made anew in its own sizes, absent parts replaced. */
export function renderModelingFile(
  family: Family,
  spec: Pick<DecoderSpec, "norms" | "parallel">,
  { architecture, module, ours, config, layers, renaming }: BaseClass = familyClass(family),
): string {
  const { intermediateSize, numAttentionHeads, numKeyValueHeads } = SIZE_LISTS;
  const norms = [
    [sharesNorm(spec) ? "heads + width == 0" : noHeads(family), ["attentionNorm", "attentionOutputNorm"]] as const,
    ["width == 0", ["mlpNorm", "mlpOutputNorm"]] as const,
  ]
    .map(([absent, roles]) => `${pythonList(normsOf(family, spec, roles))} * (${absent})`)
    .join(" + ");
  const down = family.storage.modules.downProj ?? MODULE_NAMES.downProj;
  return `"""${architecture} whose layers differ in size: ${config}.${intermediateSize}, ${numAttentionHeads} and
${numKeyValueHeads} say how, 0 for a part that is absent. Load with trust_remote_code=True."""
import copy

import torch
from ${module} import ${architecture}


class NoAttention(torch.nn.Module):
    def __init__(self, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx

    def forward(self, hidden_states, past_key_values=None, layer_past=None, cache=None, **kwargs):
        cache = next((given for given in (cache, past_key_values, layer_past) if given is not None), None)
        if cache is not None:  # the first layer tells how many tokens the cache holds
            nothing = hidden_states.new_zeros(hidden_states.shape[0], 1, hidden_states.shape[1], 1)
            cache.update(nothing, nothing, self.layer_idx)
        return torch.zeros_like(hidden_states), None


class NoMLP(torch.nn.Module):
    def forward(self, hidden_states):
        return torch.zeros_like(hidden_states)


class ${ours}(${architecture}):
    def __init__(self, config):
        super().__init__(config)
        ${layers}
        sizes = zip(config.${intermediateSize}, config.${numAttentionHeads}, config.${numKeyValueHeads})
        for index, (width, heads, key_value_heads) in enumerate(sizes):
            own = copy.deepcopy(config)
${ownSizes(family)}
            layer = layers[index] = type(layers[index])(own, index)
            if width and getattr(config, "${DOWN_BIAS_FIELD}", False):
                layer.${down} = torch.nn.Linear(width, config.${family.names.hiddenSize})
${withoutParts(family)}            norms = ${norms}
            for norm in norms:
                setattr(layer, norm, torch.nn.Identity())
        self.post_init()
${renaming.length > 0 ? renamed(ours, renaming) : ""}`;
}

const renamed = (ours: string, names: readonly string[]): string => `

try:
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping, register_checkpoint_conversion_mapping

    known = [get_checkpoint_conversion_mapping(name) for name in ${pythonList(names)}]
    register_checkpoint_conversion_mapping("${ours}", next(filter(None, known), []), overwrite=True)
except ImportError:  # transformers 4 has the tensors under the names of the file
    pass
`;

/** A part that is absent is made in some size, and then replaced. */
function ownSizes({ names }: Family): string {
  const sizes = [
    `own.${names.intermediateSize} = width or 1`,
    ...(names.headDim === null ? [] : [`own.${names.heads} = heads or config.${names.heads}`]),
    ...(names.headDim === null || names.keyValueHeads === null
      ? []
      : [`own.${names.keyValueHeads} = key_value_heads or config.${names.keyValueHeads}`]),
  ];
  return sizes.map((line) => `            ${line}`).join("\n");
}

/** A layer whose mixer is no attention counts no heads, and keeps its mixer. */
const noHeads = ({ python, mixers }: Family): string =>
  mixers === undefined ? "heads == 0" : `heads == 0 and hasattr(layer, "${python.attention}")`;

function withoutParts(family: Family): string {
  const { python } = family;
  const lines = [
    ...(python.mlp === null ? [] : [`if width == 0:`, `    layer.${python.mlp} = NoMLP()`]),
    `if ${noHeads(family)}:`,
    `    layer.${python.attention} = NoAttention(index)`,
  ];
  return lines.map((line) => `            ${line}\n`).join("");
}

const normsOf = ({ storage }: Family, { norms }: Pick<DecoderSpec, "norms">, roles: readonly NormRole[]): string[] =>
  roles.filter((role) => norms.includes(role)).map((role) => storage.modules[role] ?? MODULE_NAMES[role]);

/** The names as a list in Python. */
const pythonList = (names: readonly string[]): string => `[${names.map((name) => `"${name}"`).join(", ")}]`;
