// How large the numbers of a configuration may be.

/** The largest sizes that are accepted, several times those of the largest published models. */
export const LIMITS = {
  layers: 4096,
  hiddenSize: 262_144,
  intermediateSize: 2_097_152,
  heads: 16_384,
  headDim: 16_384,
  vocabSize: 16_777_216,
  positions: 2_147_483_648,
  /** Rotary bases go up to 1e8, scaling factors to some hundred. */
  number: 1e12,
} as const;
