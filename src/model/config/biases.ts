// Which projections have a bias, as config.json says it: in the family's own fields, or in ours for a bias of down_proj alone,
// which only a modelling file understands.
import type { Biases } from "../spec/decoder-spec.ts";
import type { ConfigFields, ModelConfig } from "./config-fields.ts";

/** Field of config.json, ours: down_proj alone has a bias. */
export const DOWN_BIAS_FIELD = "down_proj_bias";

/** Which projections stock transformers gives a bias: always, never, or where this field of config.json is true. */
export interface BiasRule {
  readonly qkv: boolean | string;
  readonly o: boolean | string;
  /** gate_proj, up_proj and down_proj. */
  readonly mlp: boolean | string;
}

/** The biases of a model whose family follows `rule`. */
export function parseBiases({ qkv, o, mlp }: BiasRule, fields: ConfigFields): Biases {
  const hasBias = (rule: boolean | string): boolean => (typeof rule === "string" ? fields.flag(rule) : rule);
  const stock = { qkv: hasBias(qkv), o: hasBias(o), mlp: hasBias(mlp) };
  return { ...stock, down: stock.mlp || fields.flag(DOWN_BIAS_FIELD) };
}

/** Whether a stock class understands these biases. */
export const isStockBias = ({ mlp, down }: Biases): boolean => mlp === down;

/** The fields of config.json that a model with these biases needs set. */
export function biasFields({ mlp: rule }: BiasRule, { mlp, down }: Biases): ModelConfig {
  if (!down) return {};
  if (!mlp) return { [DOWN_BIAS_FIELD]: true };
  return typeof rule === "string" ? { [rule]: true } : {};
}
