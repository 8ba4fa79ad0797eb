// Rotary scaling as GGUF files state it → `rope_scaling` of config.json.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import type { ConfigFields, ModelConfig } from "./config-fields.ts";
import type { RopeSpec } from "./decoder-spec.ts";
import { inverseFrequencies } from "./rope.ts";

/** `rope_scaling` of config.json: null, or one of the kinds that it knows. */
export async function ggufRopeScaling(
  checkpoint: Checkpoint,
  header: ConfigFields,
  headDim: number,
): Promise<ModelConfig | null> {
  if (checkpoint.tensors.has("rope_freqs.weight")) return llama3Scaling(checkpoint, header, headDim);
  const type = header.get("rope.scaling.type") ?? "none";
  if (type === "linear") return { rope_type: type, factor: header.positive("rope.scaling.factor") };
  if (type !== "none") return { rope_type: type };
  return header.get("rope.scale_linear") === undefined
    ? null
    : { rope_type: "linear", factor: header.positive("rope.scale_linear") };
}

/**
 * Llama 3's scaling is stored as a divisor for each frequency. The divisors follow from the largest of them and from
 * constants that all Llama 3 models share.
 */
async function llama3Scaling(checkpoint: Checkpoint, header: ConfigFields, headDim: number): Promise<ModelConfig> {
  const divisors = await checkpoint.read("rope_freqs.weight");
  const theta = header.positive("rope.freq_base");
  const constants = {
    factor: Math.max(...divisors),
    lowFreqFactor: 1,
    highFreqFactor: 4,
    originalMaxPositionEmbeddings: 8192,
  };
  const scaling: RopeSpec = { kind: "llama3", theta, ...constants };
  const plain = inverseFrequencies({ kind: "default", theta }, headDim);
  const scaled = inverseFrequencies(scaling, headDim);
  const agrees = (i: number): boolean => Math.abs((divisors[i]! * scaled[i]!) / plain[i]! - 1) < 1e-3;
  if (divisors.length !== plain.length || !plain.every((_, i) => agrees(i)))
    throw new CompError(
      "architecture",
      `${checkpoint.name} scales its rotary embedding (rope_freqs.weight) in a way that is not supported`,
      {
        hint: "supported: the scaling of Llama 3",
      },
    );
  return {
    rope_type: "llama3",
    factor: constants.factor,
    low_freq_factor: constants.lowFreqFactor,
    high_freq_factor: constants.highFreqFactor,
    original_max_position_embeddings: constants.originalMaxPositionEmbeddings,
  };
}
