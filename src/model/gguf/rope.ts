// Rotary scaling as GGUF files state it → `rope_scaling` of config.json, and back.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { describeValue } from "../../checkpoint/json.ts";
import { CompError } from "../../errors.ts";
import { type ConfigFields, LIMITS, type ModelConfig } from "../config/config-fields.ts";
import { ropeScaling } from "../config/rope-config.ts";
import type { GgufHeader } from "../families/gguf-traits.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { attentionOf } from "../spec/parts.ts";
import { inverseFrequencies, type RopeSpec } from "../spec/rope.ts";

/** A divisor for each rotary frequency, f32 [headDim / 2]. */
export const DIVISORS = "rope_freqs.weight";

/** Key of the context length before scaling, where a file states it. */
const ORIGINAL_CONTEXT = "rope.scaling.original_context_length";
/** The original context length of every Llama 3 model. */
const LLAMA3_CONTEXT = 8192;

/** `rope_scaling` as config.json would have it; null where nothing is scaled. */
export async function ggufRopeScaling(
  checkpoint: Checkpoint,
  header: ConfigFields,
  headDim: number,
): Promise<ModelConfig | null> {
  if (checkpoint.tensors.has(DIVISORS)) return llama3Scaling(checkpoint, header, headDim);
  const type = header.get("rope.scaling.type") ?? "none";
  if (type === "linear") return { rope_type: type, factor: header.positive("rope.scaling.factor") };
  if (type !== "none")
    throw new CompError("architecture", `${header.source} asks for rotary embedding of kind ${describeValue(type)}`, {
      hint: "supported in GGUF files: none, linear, and the scaling of Llama 3",
    });
  return header.get("rope.scale_linear") === undefined
    ? null
    : { rope_type: "linear", factor: header.positive("rope.scale_linear") };
}

/**
 * Llama 3's scaling is stored as a divisor for each frequency. The divisors follow from the largest of them and from
 * constants that all Llama 3 models share.
 */
async function llama3Scaling(
  checkpoint: Checkpoint,
  header: ConfigFields,
  headDim: number,
): Promise<ModelConfig | null> {
  const plain = inverseFrequencies({ kind: "default", theta: header.positive("rope.freq_base") }, headDim);
  const { shape } = checkpoint.tensors.get(DIVISORS)!;
  if (shape.length !== 1 || shape[0] !== plain.length) throw unsupported(checkpoint);
  const divisors = await checkpoint.read(DIVISORS);
  const scaling: RopeSpec = {
    kind: "llama3",
    theta: header.positive("rope.freq_base"),
    factor: Math.max(...divisors),
    lowFreqFactor: 1,
    highFreqFactor: 4,
    originalMaxPositionEmbeddings:
      header.get(ORIGINAL_CONTEXT) === undefined ? LLAMA3_CONTEXT : header.size(ORIGINAL_CONTEXT, LIMITS.positions),
  };
  const scaled = inverseFrequencies(scaling, headDim);
  const agrees = (i: number): boolean => Math.abs((divisors[i]! * scaled[i]!) / plain[i]! - 1) < 1e-3;
  if (!plain.every((_, i) => agrees(i))) throw unsupported(checkpoint);
  return ropeScaling(scaling) ?? null;
}

/** Header keys for the rotary scaling of a model to be written. @throws {CompError} "architecture" for kinds that have none. */
export function ropeHeader(rope: RopeSpec): GgufHeader {
  switch (rope.kind) {
    case "default":
      return {};
    case "linear":
      return { "rope.scaling.type": ["string", rope.kind], "rope.scaling.factor": ["f32", rope.factor] };
    case "llama3":
      return { [ORIGINAL_CONTEXT]: ["u32", rope.originalMaxPositionEmbeddings] };
    default:
      throw new CompError("architecture", `GGUF files with rotary embedding of kind ${rope.kind} are not supported`, {
        hint: "write a folder",
      });
  }
}

/** The divisors for a model to be written; undefined when its rotary embedding needs none. */
export function ropeDivisors({ layers, headDim }: DecoderSpec): Float32Array | undefined {
  const rope = layers.map((layer) => attentionOf(layer)?.rope).find((one) => one?.kind === "llama3");
  if (rope === undefined) return undefined;
  const scaled = inverseFrequencies(rope, headDim);
  return inverseFrequencies({ kind: "default", theta: rope.theta }, headDim).map((plain, i) => plain / scaled[i]!);
}

const unsupported = (checkpoint: Checkpoint): CompError =>
  new CompError(
    "architecture",
    `${checkpoint.name} scales its rotary embedding in a way that is not supported (${DIVISORS})`,
    {
      hint: "supported: the scaling of Llama 3",
    },
  );
