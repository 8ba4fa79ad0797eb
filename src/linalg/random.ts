// Seeded pseudo-random numbers: the same seed gives the same windows on every machine.

export interface Random {
  /** A whole number in [0, 2³²). */
  nextUint32(): number;
  /** A number in [0, 1), a multiple of 2⁻³². */
  nextFloat(): number;
  /** A whole number in [0, limit); uneven by less than limit / 2³². */
  nextInt(limit: number): number;
}

/**
 * xoshiro128**, its four words of state filled by SplitMix32 from the seed.
 *
 * @see Blackman & Vigna 2018, arXiv:1805.01407; Steele, Lea & Flood 2014 for SplitMix
 */
export function createRandom(seed: number): Random {
  return randomFromState(splitMix32(seed, 4));
}

/** The n-th of many generators of one seed. Seeds that follow one another share none of theirs. */
export function nthRandom(seed: number, n: number): Random {
  return createRandom(createRandom(seed).nextUint32() + n);
}

/** xoshiro128** from its own four words of state, not all of them zero. */
export function randomFromState(state: Uint32Array): Random {
  const s = Uint32Array.from(state);
  const nextUint32 = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const t = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotateLeft(s[3]!, 11);
    return result;
  };
  const nextFloat = (): number => nextUint32() / 2 ** 32;
  return { nextUint32, nextFloat, nextInt: (limit) => Math.floor(nextFloat() * limit) };
}

function splitMix32(seed: number, count: number): Uint32Array {
  const words = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    let z = (seed + Math.imul(i + 1, 0x9e3779b9)) >>> 0;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    words[i] = z ^ (z >>> 16);
  }
  return words;
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
