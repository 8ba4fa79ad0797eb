// The next token from logits.

/** Below this exponent even a quarter of a million tokens together weigh nothing (10⁻⁵) beside the likeliest. */
const NEGLIGIBLE = -24;

/** Index of the largest logit, the first of equals. */
export function greedyToken(logits: Float32Array): number {
  let best = 0;
  let largest = logits[0]!;
  for (let i = 1; i < logits.length; i++) {
    if (logits[i]! > largest) {
      largest = logits[i]!;
      best = i;
    }
  }
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
  const least = logits[best]! + NEGLIGIBLE * temperature;
  let total = 0;
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!;
    if (logit < least) continue; // most of a vocabulary
    const weight = Math.exp((logit - logits[best]!) / temperature);
    weights[i] = weight;
    total += weight;
  }
  let left = random() * total;
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return best; // only when rounding leaves a remainder
}
