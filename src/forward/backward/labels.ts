// Which token each position's loss asks for. Probabilities pass by in vocabulary tiles; what stands at the label loses 1,
// which turns them into the gradient of the log-loss towards the logits.

/** Turns the probabilities of one tile into gradients, in place. Good for one passage of all tiles in their order. */
export interface Labels {
  /**
   * @param first         the first of the tokens in `probabilities`
   * @param probabilities [tokens, size], of token ids tileStart to tileStart + size − 1
   */
  visit(first: number, probabilities: Float32Array, tileStart: number, size: number): void;
}

/**
 * One label for each of `count` tokens, drawn from the model's own prediction: the second moment of the gradients is then the
 * Fisher information (Martens 2020, arXiv:1412.1193, section 5).
 *
 * @param random uniform in [0, 1)
 */
export function sampledLabels(random: () => number, count: number): Labels {
  // Probability mass that is still to pass before the label; below 0 once it is drawn.
  const left = Float64Array.from({ length: count }, random);
  return { visit: (first, probabilities, _tileStart, size) => drawLabels(left, first, probabilities, size) };
}

/** The labels of a text: `ids` holds the token that each position should predict. */
export const givenLabels = (ids: Int32Array): Labels => ({
  visit(first, probabilities, tileStart, size) {
    for (let row = 0; row < probabilities.length / size; row++) {
      const index = ids[first + row]! - tileStart;
      if (index >= 0 && index < size) probabilities[row * size + index]! -= 1;
    }
  },
});

function drawLabels(left: Float64Array, first: number, probabilities: Float32Array, size: number): void {
  for (let row = 0; row < probabilities.length / size; row++) {
    const end = (row + 1) * size;
    for (let i = row * size; i < end && left[first + row]! >= 0; i++) {
      left[first + row]! -= probabilities[i]!;
      if (left[first + row]! < 0) probabilities[i]! -= 1;
    }
  }
}
