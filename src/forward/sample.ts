// The next token from logits.

/** Index of the largest logit, the first of equals. */
export function greedyToken(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/**
 * A token drawn from softmax(logits / temperature); temperature 0 is greedy.
 *
 * @param random uniform in [0, 1)
 */
export function sampleToken(logits: Float32Array, temperature: number, random: () => number): number {
  const best = greedyToken(logits);
  if (temperature === 0) return best;
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - logits[best]!) / temperature));
  let left = random() * weights.reduce((total, weight) => total + weight, 0);
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return best; // only when rounding leaves a remainder
}
