// The stock class of transformers that the one in a modelling file is made of: that of a family, or the one around its text part.
import type { ModelConfig } from "../config/config-fields.ts";
import type { Family } from "../families/family.ts";

export interface BaseClass {
  readonly architecture: string;
  /** Where it is imported from. */
  readonly module: string;
  /** What the class made of it is called. */
  readonly ours: string;
  /** Under which names `auto_map` has that. */
  readonly auto: readonly string[];
  /** Where the configuration has the sizes of the layers. */
  readonly config: string;
  /** Python that finds the layers, and as `config` their configuration. */
  readonly layers: string;
  /** What transformers 5 may know the renaming of tensors by, for which a class of one's own has to ask. */
  readonly renaming: readonly string[];
}

export const familyClass = ({ architecture, module, python }: Family): BaseClass => ({
  architecture,
  module: `transformers.models.${module}.modeling_${module}`,
  ours: "CompForCausalLM",
  auto: ["AutoModelForCausalLM"],
  config: "config",
  layers: `layers = self.${python.layers}`,
  renaming: python.renames ? [architecture] : [],
});

/** Precedes the name of the stock class, which must stay in it: transformers 4 renames tensors by that. */
const OURS = "Comp";

const STOCK = /^[A-Z]\w*ForConditionalGeneration$/;

/** The class that the configuration of a whole names; undefined where it is none that a modelling file can build on. */
export function wholeClass(
  { architectures, model_type: modelType }: ModelConfig,
  { python }: Family,
): BaseClass | undefined {
  const [name]: unknown[] = Array.isArray(architectures) ? architectures : [];
  if (typeof name !== "string" || typeof modelType !== "string" || !STOCK.test(name)) return undefined;
  const architecture = name.startsWith(OURS) ? name.slice(OURS.length) : name;
  return {
    architecture,
    module: "transformers",
    ours: OURS + architecture,
    auto: ["AutoModelForImageTextToText", "AutoModelForCausalLM"],
    config: "config.text_config",
    layers: `config, layers = (text := self.get_decoder()).config, text.${python.layers.split(".").at(-1)}`,
    renaming: [architecture, modelType],
  };
}
