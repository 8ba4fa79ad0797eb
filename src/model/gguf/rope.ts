// Rotary scaling as GGUF files state it → `rope_scaling` of config.json, and back.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { CompError, describeValue } from "../../errors.ts";
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import { LIMITS } from "../config/limits.ts";
import { longropeAttentionFactor, ropeScaling, yarnAttentionFactor } from "../config/rope-config.ts";
import type { GgufForm, GgufHeader } from "../families/gguf-traits.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { attentionOf } from "../spec/parts.ts";
import { inverseFrequencies, type RopeSpec, scaledBase } from "../spec/rope.ts";

type RopeOf<K extends RopeSpec["kind"]> = Extract<RopeSpec, { kind: K }>;

/** A divisor for each rotary frequency, f32 [rotarySize / 2]. */
export const DIVISORS = "rope_freqs.weight";
/** The divisors of longrope for texts up to the original length, and beyond; f32 [rotarySize / 2]. */
const SHORT_FACTORS = "rope_factors_short.weight";
const LONG_FACTORS = "rope_factors_long.weight";

/** Key of the context length before scaling, where a file states it. */
const ORIGINAL_CONTEXT = "rope.scaling.original_context_length";
/** The original context length of every Llama 3 model. */
const LLAMA3_CONTEXT = 8192;
/** Turns in the original length between which YaRN's ramp lies, where no key says otherwise. */
export const YARN_BOUNDS = { fast: 32, slow: 1 } as const;
/** Differences below this are those of f32. */
const ROUNDING = 1e-6;

/** `rope_scaling` as config.json would have it; null where nothing is scaled. @param size elements of a head that are rotated */
export async function ggufRopeScaling(
  checkpoint: Checkpoint,
  header: ConfigFields,
  size: number,
): Promise<ModelConfig | null> {
  if (checkpoint.tensors.has(DIVISORS)) return llama3Scaling(checkpoint, header, size);
  if (checkpoint.tensors.has(LONG_FACTORS)) return longropeScaling(checkpoint, header);
  const type = header.get("rope.scaling.type") ?? "none";
  if (type === "linear") return { rope_type: type, factor: header.positive("rope.scaling.factor") };
  if (type === "yarn") return yarnScaling(header);
  if (type !== "none")
    throw new CompError("architecture", `${header.source} asks for rotary embedding of kind ${describeValue(type)}`, {
      hint: "supported in GGUF files: none, linear, yarn, longrope, and the scaling of Llama 3",
    });
  return header.get("rope.scale_linear") === undefined
    ? null
    : { rope_type: "linear", factor: header.positive("rope.scale_linear") };
}

/**
 * Llama 3's scaling is stored as a divisor for each frequency. The divisors follow from the largest of them and from
 * constants that all Llama 3 models share.
 */
async function llama3Scaling(checkpoint: Checkpoint, header: ConfigFields, size: number): Promise<ModelConfig | null> {
  const plain = inverseFrequencies({ kind: "default", theta: header.positive("rope.freq_base") }, size);
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
  const scaled = inverseFrequencies(scaling, size);
  const agrees = (i: number): boolean => Math.abs((divisors[i]! * scaled[i]!) / plain[i]! - 1) < 1e-3;
  if (!plain.every((_, i) => agrees(i))) throw unsupported(checkpoint);
  return ropeScaling(scaling) ?? null;
}

async function longropeScaling(checkpoint: Checkpoint, header: ConfigFields): Promise<ModelConfig> {
  const read = async (name: string): Promise<number[]> => Array.from(await checkpoint.read(name), shortest);
  const original = header.size(ORIGINAL_CONTEXT, LIMITS.positions);
  const key = "rope.scaling.attn_factor";
  const attention = header.get(key) === undefined ? 1 : header.positive(key);
  const usual = longropeAttentionFactor(header.size("context_length", LIMITS.positions) / original, original);
  return {
    rope_type: "longrope",
    short_factor: await read(SHORT_FACTORS),
    long_factor: await read(LONG_FACTORS),
    original_max_position_embeddings: original,
    ...(isClose(attention, usual) ? {} : { attention_factor: attention }),
  };
}

function yarnScaling(header: ConfigFields): ModelConfig {
  const factor = header.positive("rope.scaling.factor");
  const valueOr = (key: string, fallback: number): number =>
    header.get(key) === undefined ? fallback : header.positive(key);
  const multiplier = "rope.scaling.yarn_log_multiplier";
  const attention = valueOr("rope.scaling.attn_factor", 1);
  return {
    rope_type: "yarn",
    factor,
    original_max_position_embeddings: header.size(
      header.get(ORIGINAL_CONTEXT) === undefined ? "context_length" : ORIGINAL_CONTEXT,
      LIMITS.positions,
    ),
    beta_fast: valueOr("rope.scaling.yarn_beta_fast", YARN_BOUNDS.fast),
    beta_slow: valueOr("rope.scaling.yarn_beta_slow", YARN_BOUNDS.slow),
    ...(header.get(multiplier) ? { mscale: 1, mscale_all_dim: header.positive(multiplier) } : {}),
    ...(isClose(attention, 1) ? {} : { attention_factor: attention * yarnAttentionFactor(factor) }),
  };
}

/** Header keys for the rotary embedding of a model to be written; all kinds but those that `unknownTo` refuses have some. */
export function ropeHeader(rope: RopeSpec, size: number, { yarnKeys }: Pick<GgufForm, "yarnKeys">): GgufHeader {
  const scaling = { "rope.freq_base": ["f32", scaledBase(rope, size)] } as const;
  switch (rope.kind) {
    case "linear":
      return {
        ...scaling,
        "rope.scaling.type": ["string", rope.kind],
        "rope.scaling.factor": ["f32", rope.factor],
      };
    case "llama3":
      return { ...scaling, [ORIGINAL_CONTEXT]: ["u32", rope.originalMaxPositionEmbeddings] };
    case "longrope":
      return {
        ...scaling,
        "rope.scaling.type": ["string", rope.kind],
        [ORIGINAL_CONTEXT]: ["u32", rope.originalMaxPositionEmbeddings],
        "rope.scaling.attn_factor": ["f32", rope.attentionFactor],
      };
    case "yarn":
      return { ...scaling, ...yarnHeader(rope, yarnKeys) };
    default:
      return scaling;
  }
}

function yarnHeader(rope: RopeOf<"yarn">, yarnKeys: boolean): GgufHeader {
  const attention = rope.attentionFactor / yarnAttentionFactor(rope.factor);
  // by which llama.cpp computes attention = 1 / yarnAttentionFactor(factor, multiplier)
  const multiplier = (1 / attention - 1) / (0.1 * Math.log(rope.factor));
  const key = yarnKeys ? "rope.scaling.yarn_log_multiplier" : "rope.scaling.attn_factor";
  return {
    "rope.scaling.type": ["string", rope.kind],
    "rope.scaling.factor": ["f32", rope.factor],
    [ORIGINAL_CONTEXT]: ["u32", rope.originalMaxPositionEmbeddings],
    "rope.scaling.yarn_beta_fast": ["f32", rope.betaFast],
    "rope.scaling.yarn_beta_slow": ["f32", rope.betaSlow],
    ...(isClose(attention, 1) ? {} : { [key]: ["f32", yarnKeys ? multiplier : attention] }),
  };
}

/** The tensors, by name, that hold the rotary scaling of a model to be written; f32 [rotarySize / 2] each. */
export function ropeTensors({ layers, rotarySize }: DecoderSpec): ReadonlyMap<string, Float32Array> {
  const rope = layers.map((layer) => attentionOf(layer)?.rope).find((one) => one !== undefined);
  if (rope?.kind === "longrope")
    return new Map([
      [LONG_FACTORS, Float32Array.from(rope.longFactor)],
      [SHORT_FACTORS, Float32Array.from(rope.shortFactor)],
    ]);
  if (rope?.kind !== "llama3") return new Map();
  const scaled = inverseFrequencies(rope, rotarySize);
  const plain = inverseFrequencies({ kind: "default", theta: rope.theta }, rotarySize);
  return new Map([[DIVISORS, plain.map((frequency, i) => frequency / scaled[i]!)]]);
}

/** The shortest decimal that rounds to an f32: 1e-5 rather than 0.00000999999974…. */
export const shortest = (value: number): number => {
  const short = Number(value.toPrecision(7));
  return Math.fround(short) === Math.fround(value) ? short : value;
};

const isClose = (a: number, b: number): boolean => Math.abs(a / b - 1) < ROUNDING;

const unsupported = (checkpoint: Checkpoint): CompError =>
  new CompError(
    "architecture",
    `${checkpoint.name} scales its rotary embedding in a way that is not supported (${DIVISORS})`,
    {
      hint: "supported: the scaling of Llama 3",
    },
  );
