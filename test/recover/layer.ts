// A small layer with correlated neurons: activations Z, their Gram matrix, and a down_proj.
import { gramOf, multiply, randomMatrix, transpose } from "../linalg/random-matrix.ts";

export interface Layer {
  readonly z: Float64Array; // [tokens, size]
  readonly gram: Float32Array;
  readonly mean: Float32Array;
  readonly downProj: Float32Array; // [hiddenSize, size]
  readonly tokenCount: number;
  readonly hiddenSize: number;
  readonly size: number;
}

/** Neurons mixed from a few common sources and noise of their own, so that some can stand in for others. */
export function makeLayer(size = 20, hiddenSize = 8, tokenCount = 200, seed = 1): Layer {
  const sources = Math.ceil(size / 3);
  const common = multiply(
    randomMatrix(tokenCount, sources, seed),
    randomMatrix(sources, size, seed + 1),
    tokenCount,
    sources,
  );
  const noise = randomMatrix(tokenCount, size, seed + 2);
  const z = Float64Array.from(common, (value, i) => Math.fround(value + 0.3 * noise[i]!));
  const mean = Float32Array.from({ length: size }, (_, j) => {
    let sum = 0;
    for (let t = 0; t < tokenCount; t++) sum += z[t * size + j]!;
    return sum / tokenCount;
  });
  const downProj = Float32Array.from(randomMatrix(hiddenSize, size, seed + 3));
  return { z, gram: Float32Array.from(gramOf(z, tokenCount)), mean, downProj, tokenCount, hiddenSize, size };
}

/** ‖ZWᵀ − Z V − 1bᵀ‖² for V [size, hiddenSize], from the activations themselves. */
export function squaredError(
  { z, downProj, tokenCount, hiddenSize, size }: Layer,
  newWeights: Float64Array,
  bias?: Float32Array,
): number {
  const dense = multiply(z, transpose(downProj, hiddenSize), tokenCount, size);
  const pruned = multiply(z, newWeights, tokenCount, size);
  return dense.reduce((sum, value, i) => sum + (value - pruned[i]! - (bias?.[i % hiddenSize] ?? 0)) ** 2, 0);
}

/** The pruned down_proj put back to full width with zero columns, transposed: [size, hiddenSize]. */
export function widen({ hiddenSize, size }: Layer, kept: Int32Array, downProj: ArrayLike<number>): Float64Array {
  const wide = new Float64Array(size * hiddenSize);
  kept.forEach((j, i) => {
    for (let o = 0; o < hiddenSize; o++) wide[j * hiddenSize + o] = downProj[o * kept.length + i]!;
  });
  return wide;
}
