// config.json of a model around a pruned text part.
import type { ModelConfig } from "../config/config-fields.ts";
import { familyOf } from "../families/index.ts";
import { type Surroundings, withTextConfig } from "../surroundings.ts";
import { wholeClass } from "./base-class.ts";
import { needsModelingFile, ourAutoMap, ownAutoMap } from "./modeling-file.ts";

/** @param text the text part as `prunedConfig` has it; where it names a modelling file, the class in that is one of the whole */
export function wholeConfig(surroundings: Surroundings, text: ModelConfig): ModelConfig {
  const family = familyOf(text);
  const { auto_map: _, ...own } = text;
  const { auto_map: __, ...whole } = withTextConfig(surroundings, { ...own, architectures: [family.architecture] });
  const classes = ownAutoMap(surroundings.config);
  const base = wholeClass(surroundings.config, family);
  if (base === undefined || !needsModelingFile(text))
    return { ...whole, ...(base && { architectures: [base.architecture] }), ...(classes && { auto_map: classes }) };
  return { ...whole, architectures: [base.ours], auto_map: { ...classes, ...ourAutoMap(base) } };
}
