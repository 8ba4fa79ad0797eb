// The next token from logits.

/** Below this exponent even a quarter of a million tokens together weigh nothing (10⁻⁵) beside the likeliest. */
const NEGLIGIBLE = -24;

/** Powers of e are read from a table of steps of 1 / 256 and moved by two terms of the series, to 2e-9 of each: most of the time of a draw goes into them. */
const STEPS = 256;
const POWERS = Float64Array.from({ length: 1 - NEGLIGIBLE * STEPS }, (_, i) => Math.exp(-i / STEPS));

/** Tokens whose weights are kept as one sum until it is known that the draw falls among them. */
export const BLOCK = 512;

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
  const weightOf = weightsBeside(logits[best]!, temperature);
  const sums: number[] = [];
  for (let start = 0; start < logits.length; start += BLOCK) sums.push(sumOf(logits, start, weightOf));
  return drawToken(logits, temperature, sums, random());
}

/**
 * A token drawn where it is known what blocks of tokens weigh.
 *
 * @param temperature above 0
 * @param sums of the weights of `BLOCK` tokens each, the last of fewer, in any unit
 * @param at where the draw falls, as a share of all weights, in [0, 1)
 */
export function drawToken(logits: Float32Array, temperature: number, sums: ArrayLike<number>, at: number): number {
  let left = 0;
  for (let block = 0; block < sums.length; block++) left += at * sums[block]!;
  let block = 0;
  while (block < sums.length - 1 && left >= sums[block]!) left -= sums[block++]!;
  const start = block * BLOCK;
  const inside = logits.subarray(start, start + BLOCK);
  const best = greedyToken(inside);
  const weightOf = weightsBeside(inside[best]!, temperature);
  left *= sumOf(logits, start, weightOf) / sums[block]!; // in the unit of this block
  for (let i = 0; i < inside.length; i++) {
    left -= weightOf(inside[i]!);
    if (left < 0) return start + i;
  }
  return start + best; // only when rounding leaves a remainder
}

/** What a block weighs that begins at a token. */
function sumOf(logits: Float32Array, start: number, weightOf: (logit: number) => number): number {
  let sum = 0;
  const end = Math.min(start + BLOCK, logits.length);
  for (let i = start; i < end; i++) sum += weightOf(logits[i]!);
  return sum;
}

/** Weight of a logit, of which the largest has 1. */
function weightsBeside(largest: number, temperature: number): (logit: number) => number {
  const scale = 1 / temperature;
  return (logit) => {
    const exponent = (logit - largest) * scale;
    return exponent > NEGLIGIBLE ? powerOfE(exponent) : 0;
  };
}

/** eˣ for x from NEGLIGIBLE to 0. */
function powerOfE(x: number): number {
  const step = (0.5 - STEPS * x) | 0;
  const rest = x + step / STEPS;
  return POWERS[step]! * (1 + rest * (1 + rest / 2));
}
