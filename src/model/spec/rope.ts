// Rotary position embedding: inverse frequencies and the tables of cosines and sines that attention multiplies with.
// Su et al. 2021, arXiv:2104.09864; scaled forms as in transformers' modeling_rope_utils.py, which rounds each step
// to f32: so do we, because an angle of some thousand radians shows every rounding.
import type { Tensor } from "../../compute/tensor.ts";

/** Rotary position embedding: the inverse frequencies follow from these fields, the rotated size and the length of the text. */
export type RopeSpec = { readonly theta: number } & (
  | { readonly kind: "default" }
  | { readonly kind: "linear"; readonly factor: number }
  /** NTK-aware scaling of the base by the length of the text. */
  | { readonly kind: "dynamic"; readonly factor: number; readonly maxPositionEmbeddings: number }
  /** The same by a fixed amount (Hunyuan). */
  | { readonly kind: "ntk-alpha"; readonly alpha: number }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    }
  | YarnRope
  | LongRope
);

/** Peng et al. 2023, arXiv:2309.00071. */
interface YarnRope {
  readonly kind: "yarn";
  readonly factor: number;
  readonly betaFast: number;
  readonly betaSlow: number;
  readonly truncate: boolean;
  readonly originalMaxPositionEmbeddings: number;
  /** Cosines and sines are multiplied by this. */
  readonly attentionFactor: number;
}

/** Ding et al. 2024, arXiv:2402.13753: a divisor for each frequency, other ones for texts beyond the original length. */
interface LongRope {
  readonly kind: "longrope";
  readonly shortFactor: readonly number[];
  readonly longFactor: readonly number[];
  readonly originalMaxPositionEmbeddings: number;
  /** Cosines and sines are multiplied by this. */
  readonly attentionFactor: number;
}

/**
 * Inverse frequencies, f32 [size / 2], in radians per position.
 *
 * @param size   elements of a head that are rotated
 * @param length tokens of the text, which some kinds depend on
 */
export function inverseFrequencies(rope: RopeSpec, size: number, length = 0): Float32Array {
  const plain = plainFrequencies(rope.theta, size);
  switch (rope.kind) {
    case "default":
      return plain;
    case "linear":
      return plain.map((frequency) => frequency / rope.factor);
    case "dynamic": {
      const stretch = Math.max(length, rope.maxPositionEmbeddings) / rope.maxPositionEmbeddings;
      return plainFrequencies(rope.theta * (rope.factor * stretch - (rope.factor - 1)) ** (size / (size - 2)), size);
    }
    case "ntk-alpha":
      return plainFrequencies(scaledBase(rope, size), size);
    case "llama3":
      return plain.map((frequency) => scaleLlama3(frequency, rope));
    case "yarn":
      return scaleYarn(plain, rope, size);
    case "longrope": {
      const factors = length > rope.originalMaxPositionEmbeddings ? rope.longFactor : rope.shortFactor;
      return plain.map((_, i) => 1 / Math.fround(Math.fround(factors[i]!) * power(rope.theta, i, size)));
    }
  }
}

/** The base that frequencies begin with; ntk-alpha stretches it by a fixed amount. */
export const scaledBase = (rope: RopeSpec, size: number): number =>
  rope.kind === "ntk-alpha" ? rope.theta * rope.alpha ** (size / (size - 2)) : rope.theta;

/** Whether a text keeps its frequencies when it grows: else all its tokens are rotated anew. */
export function keepsFrequencies(rope: RopeSpec, before: number, after: number): boolean {
  if (rope.kind === "dynamic") return after <= rope.maxPositionEmbeddings;
  if (rope.kind !== "longrope") return true;
  return before > rope.originalMaxPositionEmbeddings === after > rope.originalMaxPositionEmbeddings;
}

/** Tokens of the longest text that the frequencies are scaled for; 0 where they do not say. */
export function scaledLength(rope: RopeSpec): number {
  if (rope.kind === "dynamic") return Math.floor(rope.factor * rope.maxPositionEmbeddings);
  return rope.kind === "yarn" ? Math.floor(rope.factor * rope.originalMaxPositionEmbeddings) : 0;
}

/** θ^(2i / size), the wavelength over 2π, rounded to f32. */
const power = (theta: number, i: number, size: number): number => Math.fround(theta ** Math.fround((2 * i) / size));

const plainFrequencies = (theta: number, size: number): Float32Array =>
  Float32Array.from({ length: size / 2 }, (_, i) => 1 / power(theta, i, size));

/** Long wavelengths are stretched by `factor`, short ones kept, those between interpolated (Llama 3.1). */
function scaleLlama3(frequency: number, rope: Extract<RopeSpec, { kind: "llama3" }>): number {
  const turns = (rope.originalMaxPositionEmbeddings * frequency) / (2 * Math.PI);
  if (turns > rope.highFreqFactor) return frequency;
  if (turns < rope.lowFreqFactor) return frequency / rope.factor;
  const smooth = (turns - rope.lowFreqFactor) / (rope.highFreqFactor - rope.lowFreqFactor);
  return (1 - smooth) * (frequency / rope.factor) + smooth * frequency;
}

/** Frequencies of more than `betaFast` turns in the original length are kept, of less than `betaSlow` stretched; a ramp between. */
function scaleYarn(plain: Float32Array, rope: Extract<RopeSpec, { kind: "yarn" }>, size: number): Float32Array {
  const indexOf = (turns: number): number =>
    (size * Math.log(rope.originalMaxPositionEmbeddings / (turns * 2 * Math.PI))) / (2 * Math.log(rope.theta));
  const [first, last] = [indexOf(rope.betaFast), indexOf(rope.betaSlow)];
  const low = Math.max(rope.truncate ? Math.floor(first) : first, 0);
  const high = Math.min(rope.truncate ? Math.ceil(last) : last, size - 1);
  const width = high === low ? 0.001 : high - low;
  return plain.map((frequency, i) => {
    const kept = Math.fround(1 - Math.fround(Math.min(1, Math.max(0, (i - low) / width))));
    const stretched = Math.fround(1 / Math.fround(rope.factor * power(rope.theta, i, size)));
    return Math.fround(stretched * Math.fround(1 - kept)) + Math.fround(frequency * kept);
  });
}

/** Cosines and sines for some positions. */
export interface RotaryTable {
  /** f32 [length, size]. */
  readonly cos: Tensor<Float32Array>;
  /** f32 [length, size]. */
  readonly sin: Tensor<Float32Array>;
}

/**
 * The tables for `positions` of a text that ends with the last of them; element i and i + size / 2 of a row are equal, as
 * "rotate half" wants them: rotated(x) = x · cos + (−x₂, x₁) · sin with x₁, x₂ the halves of x.
 */
export function rotaryTable(rope: RopeSpec, size: number, positions: ArrayLike<number>): RotaryTable {
  const shape = [positions.length, size];
  const cos = new Float32Array(positions.length * size);
  const sin = new Float32Array(positions.length * size);
  const half = size / 2;
  const frequencies = inverseFrequencies(rope, size, (positions[positions.length - 1] ?? 0) + 1);
  const factor = "attentionFactor" in rope ? rope.attentionFactor : 1;
  for (let row = 0; row < positions.length; row++)
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(positions[row]! * frequencies[i]!);
      const at = row * size + i;
      cos[at] = cos[at + half] = Math.cos(angle) * factor;
      sin[at] = sin[at + half] = Math.sin(angle) * factor;
    }
  return { cos: { data: cos, shape }, sin: { data: sin, shape } };
}
