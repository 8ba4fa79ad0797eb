// Logits of two models compared as a user meets them: as probabilities of the next token.

const largestOf = (values: Float32Array): number => values.reduce((a, b) => Math.max(a, b));

const probabilities = (logits: Float32Array): Float32Array => {
  const largest = largestOf(logits);
  const weights = logits.map((logit) => Math.exp(logit - largest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
};

/** The most likely token. */
export const best = (logits: Float32Array): number => logits.indexOf(largestOf(logits));

/** The largest difference between the probabilities of two models, over all tokens of the vocabulary. */
export function worstProbability(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  const differences = a.map((row, i) => {
    const other = probabilities(b[i]!);
    return probabilities(row).reduce((worst, p, id) => Math.max(worst, Math.abs(p - other[id]!)), 0);
  });
  return Math.max(...differences);
}
