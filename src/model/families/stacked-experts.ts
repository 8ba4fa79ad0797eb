// How transformers names experts: each on its own, or those of a layer in one tensor.
import type { StorageRule } from "../storage/stored-tensors.ts";

/** A matrix of gate and up, and one of down, of all experts of the module `inside`. */
export const stackedIn = (inside: string): NonNullable<StorageRule["stackedExperts"]> => ({
  modules: {
    expertGate: `${inside}.experts.gate_up_proj`,
    expertUp: `${inside}.experts.gate_up_proj`,
    expertDown: `${inside}.experts.down_proj`,
  },
  parameters: [`${inside}.experts.gate_up_proj`, `${inside}.experts.down_proj`],
});

/** Experts with the matrices of a Llama. */
export const SEPARATE_EXPERTS: StorageRule["modules"] = {
  expertGate: "mlp.experts.{expert}.gate_proj",
  expertUp: "mlp.experts.{expert}.up_proj",
  expertDown: "mlp.experts.{expert}.down_proj",
};
