// Rotary position embedding: inverse frequencies and the tables of cosines and sines that attention multiplies with.
// Su et al. 2021, arXiv:2104.09864; scaled forms as in transformers' modeling_rope_utils.py, which rounds each step
// to f32: so do we, because an angle of some thousand radians shows every rounding.
import type { Tensor } from "../../compute/tensor.ts";
import type { RopeSpec } from "./decoder-spec.ts";

/** Inverse frequencies, f32 [headDim / 2], in radians per position. */
export function inverseFrequencies(rope: RopeSpec, headDim: number): Float32Array {
  const plain = Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const exponent = Math.fround((2 * i) / headDim);
    return 1 / Math.fround(rope.theta ** exponent);
  });
  switch (rope.kind) {
    case "default":
      return plain;
    case "linear":
      return plain.map((frequency) => frequency / rope.factor);
    case "llama3":
      return plain.map((frequency) => scaleLlama3(frequency, rope));
  }
}

/** Long wavelengths are stretched by `factor`, short ones kept, those between interpolated (Llama 3.1). */
function scaleLlama3(frequency: number, rope: Extract<RopeSpec, { kind: "llama3" }>): number {
  const turns = (rope.originalMaxPositionEmbeddings * frequency) / (2 * Math.PI);
  if (turns > rope.highFreqFactor) return frequency;
  if (turns < rope.lowFreqFactor) return frequency / rope.factor;
  const smooth = (turns - rope.lowFreqFactor) / (rope.highFreqFactor - rope.lowFreqFactor);
  return (1 - smooth) * (frequency / rope.factor) + smooth * frequency;
}

/** Cosines and sines for some positions. */
export interface RotaryTable {
  /** f32 [length, headDim]. */
  readonly cos: Tensor<Float32Array>;
  /** f32 [length, headDim]. */
  readonly sin: Tensor<Float32Array>;
}

/**
 * The tables for `positions`; element i and i + headDim / 2 of a row are equal, as "rotate half" wants them:
 * rotated(x) = x · cos + (−x₂, x₁) · sin with x₁, x₂ the halves of x.
 */
export function rotaryTable(rope: RopeSpec, headDim: number, positions: ArrayLike<number>): RotaryTable {
  const shape = [positions.length, headDim];
  const cos = new Float32Array(positions.length * headDim);
  const sin = new Float32Array(positions.length * headDim);
  const half = headDim / 2;
  const frequencies = inverseFrequencies(rope, headDim);
  for (let row = 0; row < positions.length; row++)
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(positions[row]! * frequencies[i]!);
      const at = row * headDim + i;
      cos[at] = cos[at + half] = Math.cos(angle);
      sin[at] = sin[at + half] = Math.sin(angle);
    }
  return { cos: { data: cos, shape }, sin: { data: sin, shape } };
}
