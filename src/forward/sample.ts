// The next token from logits.

/** Below this exponent all tokens of a vocabulary together weigh nothing beside the likeliest. */
const NEGLIGIBLE = -36;

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
  const weights = new Float64Array(logits.length);
  let total = 0;
  for (let i = 0; i < logits.length; i++) {
    const exponent = (logits[i]! - logits[best]!) / temperature;
    if (exponent < NEGLIGIBLE) continue;
    weights[i] = Math.exp(exponent);
    total += weights[i]!;
  }
  let left = random() * total;
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return best; // only when rounding leaves a remainder
}
