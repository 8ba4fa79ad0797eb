// A Hugging Face folder whose layers differ in width cannot be loaded by a stock class: it brings a short modelling file, which
// `trust_remote_code=True` allows transformers to use.
import type { Family } from "./families.ts";
import { WIDTHS_FIELD } from "./layer-sizes.ts";
import { DOWN_BIAS_FIELD } from "./mlp-bias.ts";

const FILE = "modeling_comp";

/** Name of the modelling file in the folder. */
export const MODELING_FILE: string = `${FILE}.py`;

const MODULES: Readonly<Record<string, string>> = { gemma3_text: "gemma3" };

/** Whether a stock class can load layers of these widths. */
export const areEqual = (widths: readonly number[]): boolean => widths.every((width) => width === widths[0]);

/** What config.json says beyond the stock fields: the widths, and the class that understands them. */
export function perLayerFields(widths: readonly number[]): Record<string, unknown> {
  return {
    [WIDTHS_FIELD]: [...widths],
    intermediate_size: Math.max(...widths),
    architectures: ["CompForCausalLM"],
    auto_map: { AutoModelForCausalLM: `${FILE}.CompForCausalLM` },
  };
}

/** The modelling file: the stock class of the family, each layer's MLP made anew at its own width, with a bias where there is one. */
export function renderModelingFile({ modelType, architecture }: Pick<Family, "modelType" | "architecture">): string {
  const module = MODULES[modelType] ?? modelType;
  return `"""${architecture} whose layers have MLPs of their own (config.${WIDTHS_FIELD}). Load with trust_remote_code=True."""
import copy

import torch
from transformers.models.${module}.modeling_${module} import ${architecture}


class CompForCausalLM(${architecture}):
    def __init__(self, config):
        super().__init__(config)
        for layer, width in zip(self.model.layers, config.${WIDTHS_FIELD}):
            own = copy.deepcopy(config)
            own.intermediate_size = width
            layer.mlp = type(layer.mlp)(own)
            if getattr(config, "${DOWN_BIAS_FIELD}", False):
                layer.mlp.down_proj = torch.nn.Linear(width, config.hidden_size)
        self.post_init()
`;
}
