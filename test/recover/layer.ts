// A small projection with correlated inputs: activations Z, what is summed over them, and the weights W.
import type { OutputProjection, ProjectionStatistics } from "../../src/linalg/projection.ts";
import { gramOf, multiply, randomMatrix, transpose } from "../linalg/random-matrix.ts";

/** A projection and its statistics in one, and the activations [tokenCount, inputSize] behind them. */
export interface Layer extends OutputProjection, ProjectionStatistics {
  readonly z: Float64Array;
}

/** Inputs mixed from a few common sources and noise of their own, so that some can stand in for others. */
export function makeLayer(inputSize = 20, outputSize = 8, tokenCount = 200, seed = 1): Layer {
  const sources = Math.ceil(inputSize / 3);
  const common = multiply(
    randomMatrix(tokenCount, sources, seed),
    randomMatrix(sources, inputSize, seed + 1),
    tokenCount,
    sources,
  );
  const noise = randomMatrix(tokenCount, inputSize, seed + 2);
  const z = common.map((value, i) => Math.fround(value + 0.3 * noise[i]!));
  return layerOf(randomMatrix(outputSize, inputSize, seed + 3), z, inputSize);
}

/** A projection of given weights [outputSize, inputSize] and activations [tokenCount, inputSize]. */
export function layerOf(weight: ArrayLike<number>, activations: ArrayLike<number>, inputSize: number): Layer {
  const z = Float64Array.from(activations);
  const tokenCount = z.length / inputSize;
  const mean = multiply(new Float64Array(tokenCount).fill(1 / tokenCount), z, 1, tokenCount);
  return {
    z,
    gram: Float32Array.from(gramOf(z, tokenCount)),
    mean: Float32Array.from(mean),
    weight: Float32Array.from(weight),
    tokenCount,
    outputSize: weight.length / inputSize,
    inputSize,
  };
}

/** All inputs of a projection. */
export const allOf = ({ inputSize }: OutputProjection): Int32Array =>
  Int32Array.from({ length: inputSize }, (_, j) => j);

/** ‖ZWᵀ − Z V − 1bᵀ‖² for V [inputSize, outputSize], from the activations themselves. */
export function squaredError(
  { z, weight, tokenCount, outputSize, inputSize }: Layer,
  newWeights: Float64Array,
  bias?: Float32Array,
): number {
  const dense = multiply(z, transpose(weight, outputSize), tokenCount, inputSize);
  const pruned = multiply(z, newWeights, tokenCount, inputSize);
  return dense.reduce((sum, value, i) => sum + (value - pruned[i]! - (bias?.[i % outputSize] ?? 0)) ** 2, 0);
}

/** ‖ZWᵀ‖². */
export const outputEnergyOf = (layer: Layer): number =>
  squaredError(layer, new Float64Array(layer.inputSize * layer.outputSize));

/** Pruned weights put back to full width with zero columns, transposed: [inputSize, outputSize]. */
export function widen({ outputSize, inputSize }: Layer, kept: Int32Array, weight: ArrayLike<number>): Float64Array {
  const wide = new Float64Array(inputSize * outputSize);
  kept.forEach((j, i) => {
    for (let o = 0; o < outputSize; o++) wide[j * outputSize + o] = weight[o * kept.length + i]!;
  });
  return wide;
}
