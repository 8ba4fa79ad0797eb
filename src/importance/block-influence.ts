// Block Influence: how much a decoder layer turns the hidden states that pass through it.

/**
 * Mean over tokens of 1 − cos(x_t, y_t) for a layer's input x and output y: 0 (the layer does nothing) to 2.
 *
 * The layer of the least mean is the most redundant. A token whose input or output is zero counts as unturned.
 *
 * @param before x, f32 [tokens, hiddenSize]
 * @param after  y, f32 [tokens, hiddenSize]
 * @see Men et al. 2024 (ShortGPT), arXiv:2403.03853, eq. 1
 */
export function blockInfluence(before: Float32Array, after: Float32Array, hiddenSize: number): number {
  let sum = 0;
  for (let start = 0; start < before.length; start += hiddenSize)
    sum += 1 - cosine(before, after, start, start + hiddenSize);
  return sum / (before.length / hiddenSize);
}

function cosine(a: Float32Array, b: Float32Array, start: number, end: number): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = start; i < end; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return aa === 0 || bb === 0 ? 1 : dot / Math.sqrt(aa * bb);
}
