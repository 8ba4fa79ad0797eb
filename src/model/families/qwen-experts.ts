// What the mixtures of Qwen's models have in common.
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import { LIMITS } from "../config/limits.ts";
import type { MixtureRule } from "../config/mixture.ts";
import type { SharedExpert } from "../spec/parts.ts";

/** Which layers have experts, as all of Qwen's mixtures state it. */
export const QWEN_LAYERS: Pick<MixtureRule, "isDense" | "denseFields"> = {
  isDense(fields, index) {
    const listed = fields.get("mlp_only_layers");
    const step = fields.size("decoder_sparse_step", LIMITS.layers);
    return (Array.isArray(listed) && listed.includes(index)) || (index + 1) % step !== 0;
  },
  denseFields: (config: ModelConfig, dense: readonly number[]) =>
    dense.length > 0 || "mlp_only_layers" in config || "decoder_sparse_step" in config
      ? { mlp_only_layers: dense, decoder_sparse_step: 1 }
      : {},
};

/** An expert of a width of its own, behind a gate. */
export const gatedExpert = (fields: ConfigFields): SharedExpert => ({
  width: { neurons: fields.size("shared_expert_intermediate_size", LIMITS.intermediateSize) },
  gated: true,
});
