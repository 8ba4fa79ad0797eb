// Seeded matrices for the tests of linear algebra and of what is built on it.

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Entries uniform in (−1, 1), [rows, cols]. */
export function randomMatrix(rows: number, cols: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  return Float64Array.from({ length: rows * cols }, () => 2 * random() - 1);
}

/** AB for A [rows, inner] and B [inner, cols], in plain loops. */
export function multiply(a: ArrayLike<number>, b: ArrayLike<number>, rows: number, inner: number): Float64Array {
  const cols = b.length / inner;
  const result = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < inner; k++)
      for (let j = 0; j < cols; j++) result[i * cols + j]! += a[i * inner + k]! * b[k * cols + j]!;
  return result;
}

/** Aᵀ [cols, rows] of A [rows, cols]. */
export function transpose(a: ArrayLike<number>, rows: number): Float64Array {
  const cols = a.length / rows;
  return Float64Array.from({ length: a.length }, (_, i) => a[(i % rows) * cols + Math.floor(i / rows)]!);
}

/** ZᵀZ of Z [tokens, size]. */
export const gramOf = (z: ArrayLike<number>, tokens: number): Float64Array =>
  multiply(transpose(z, tokens), z, z.length / tokens, tokens);

/** A well conditioned symmetric positive definite matrix [size, size]. */
export function randomSpd(size: number, seed: number): Float64Array {
  const gram = gramOf(randomMatrix(size, size, seed), size);
  for (let i = 0; i < size; i++) gram[i * size + i]! += 0.1 * size;
  return gram;
}

export const maxDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

/** A⁻¹ by Gauss-Jordan elimination with row pivoting: the oracle, unrelated to the code under test. */
export function bruteInverse(a: ArrayLike<number>, size: number): Float64Array {
  const rows = Array.from({ length: size }, (_, i) =>
    Array.from({ length: 2 * size }, (_, j) => (j < size ? a[i * size + j]! : j - size === i ? 1 : 0)),
  );
  for (let k = 0; k < size; k++) {
    let best = k;
    for (let i = k + 1; i < size; i++) if (Math.abs(rows[i]![k]!) > Math.abs(rows[best]![k]!)) best = i;
    [rows[k], rows[best]] = [rows[best]!, rows[k]!];
    const pivot = rows[k]!.map((value) => value / rows[k]![k]!);
    rows.forEach((row, i) => {
      const factor = row[k]!;
      rows[i] = i === k ? pivot : row.map((value, j) => value - factor * pivot[j]!);
    });
  }
  return Float64Array.from(rows.flatMap((row) => row.slice(size)));
}
