// Levels into the bits of a block of 256.

/** Low two bits of 256 levels; of each 128 the four rows of 32 above one another. */
export function packTwoBits(levels: Uint8Array, out: Uint8Array, at: number): void {
  for (let half = 0; half < 2; half++)
    for (let j = 0; j < 32; j++) {
      let packed = 0;
      for (let row = 0; row < 4; row++) packed |= (levels[half * 128 + row * 32 + j]! & 3) << (2 * row);
      out[at + half * 32 + j] = packed;
    }
}
