// Block Influence: how much a decoder layer turns the hidden states that pass through it.

/**
 * Mean over tokens of 1 − cos(x_t, y_t) for a layer's input x and output y: 0 (the layer does nothing) to 2.
 *
 * The layer of the least mean is the most redundant. A token whose input or output is zero counts as unturned.
 *
 * @see Men et al. 2024 (ShortGPT), arXiv:2403.03853, eq. 1
 */
export class BlockInfluence {
  readonly #hiddenSize: number;
  #sum = 0;
  #tokens = 0;

  constructor(hiddenSize: number) {
    this.#hiddenSize = hiddenSize;
  }

  /**
   * Adds some tokens.
   *
   * @param before x, f32 [tokens, hiddenSize]
   * @param after  y, f32 [tokens, hiddenSize]
   */
  add(before: Float32Array, after: Float32Array): void {
    const size = this.#hiddenSize;
    for (let start = 0; start < before.length; start += size)
      this.#sum += 1 - cosine(before, after, start, start + size);
    this.#tokens += before.length / size;
  }

  get mean(): number {
    return this.#sum / this.#tokens;
  }
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
