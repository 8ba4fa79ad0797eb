// Where an MLP can take a bias that it did not have: in the family's own configuration, in a modelling file, or nowhere.

import { FAMILIES } from "../families/index.ts";
import type { Biases, DecoderSpec } from "../spec/decoder-spec.ts";
import type { ModelConfig } from "./config-fields.ts";

/** Field of config.json, ours: down_proj alone has a bias. */
export const DOWN_BIAS_FIELD = "down_proj_bias";

const STOCK_FIELD = "mlp_bias";

/** Whether a stock class understands these biases. */
export const isStockBias = ({ mlp, down }: Biases): boolean => mlp === down;

/**
 * The biases of a model whose down_proj gets one: a stock field brings biases of gate and up with it, which stay zero.
 *
 * @param withFile whether the folder brings a modelling file anyway, in which every family has a place
 * @returns undefined where there is no place
 */
export function withDownBias({ family, bias }: DecoderSpec, withFile: boolean): Biases | undefined {
  if (bias.down) return bias;
  const hasField = FAMILIES.some(({ modelType, defaults }) => modelType === family && STOCK_FIELD in defaults);
  if (hasField) return { ...bias, mlp: true, down: true };
  return withFile ? { ...bias, down: true } : undefined;
}

/** What config.json says of them, beyond what it said before. */
export function biasFields(bias: Biases): ModelConfig {
  if (!bias.down) return {};
  return bias.mlp ? { [STOCK_FIELD]: true } : { [DOWN_BIAS_FIELD]: true };
}
