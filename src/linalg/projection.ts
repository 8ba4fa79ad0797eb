// A linear map y = W z as criteria and recoveries take it, and what calibration has summed at it.

/** The matrix that ends what is cut: each of its inputs is a neuron of an MLP, or an element of an attention's heads. */
export interface OutputProjection {
  /** W, f32, row-major [outputSize, inputSize]. */
  readonly weight: Float32Array;
  readonly inputSize: number;
  readonly outputSize: number;
}

/**
 * Sums over calibration tokens at a projection; Z [tokens, inputSize] is what enters it, u the scale of a token where tokens
 * are weighted by their scale, else 1.
 */
export interface ProjectionStatistics {
  readonly tokenCount: number;
  /** G = Σ z zᵀ / u², f32 [inputSize, inputSize]. */
  readonly gram: Float32Array;
  /** Mean of z, f32 [inputSize]. */
  readonly mean: Float32Array;
  /**
   * S = E[u² g gᵀ], f32 [outputSize, outputSize], g the gradient of a token's log-loss at the projection's output: the
   * empirical Fisher factor of the output, uncentred. Present after a backward sweep.
   */
  readonly fisherFactor?: Float32Array | undefined;
  /** Σ |w · ∂L/∂w| over all weights that belong to an input, f32 [inputSize]. Present after a backward sweep on text. */
  readonly weightSensitivity?: Float32Array | undefined;
  /** D = Σ e zᵀ / u², f32 [outputSize, inputSize], e what the output should gain. Present where there is a target. */
  readonly drift?: Float32Array | undefined;
  /** The part of `gram` and `drift` that a fit may leave out, to be judged on. Present where text is scarce. */
  readonly heldOut?: HeldOutSums | undefined;
}

/** Sums over some of the tokens, which those over all of them contain. */
export interface HeldOutSums {
  readonly gram: Float32Array; // [inputSize, inputSize]
  readonly drift: Float32Array; // [outputSize, inputSize]
}

/**
 * The same sums where the large ones may wait outside of memory: each is read when it is needed, and goes when whoever reads it lets
 * it go. They must not be changed.
 */
export interface StoredStatistics extends Pick<ProjectionStatistics, "tokenCount" | "mean"> {
  gram(): Promise<Float32Array>;
  readonly fisherFactor?: (() => Promise<Float32Array>) | undefined;
  readonly weightSensitivity?: (() => Promise<Float32Array>) | undefined;
  readonly drift?: (() => Promise<Float32Array>) | undefined;
  readonly heldOut?: StoredHeldOut | undefined;
}

export interface StoredHeldOut {
  gram(): Promise<Float32Array>;
  drift(): Promise<Float32Array>;
  /** The whole Gram matrix without this part. */
  restOfGram(): Promise<Float32Array>;
}

/** Statistics that are in memory. */
export function inMemory(statistics: ProjectionStatistics): StoredStatistics {
  const { tokenCount, mean, gram, fisherFactor, weightSensitivity, drift, heldOut } = statistics;
  const given = <Sum extends Float32Array | undefined>(sum: Sum) => sum && (async () => sum);
  return {
    tokenCount,
    mean,
    gram: async () => gram,
    fisherFactor: given(fisherFactor),
    weightSensitivity: given(weightSensitivity),
    drift: given(drift),
    heldOut: heldOut && {
      gram: async () => heldOut.gram,
      drift: async () => heldOut.drift,
      restOfGram: async () => difference(gram, heldOut.gram),
    },
  };
}

/** What is left of sums over all tokens without those over some. */
export function difference(whole: Float32Array, part: Float32Array): Float32Array {
  const rest = new Float32Array(whole.length);
  for (let i = 0; i < rest.length; i++) rest[i] = whole[i]! - part[i]!;
  return rest;
}

/** All of them, in memory. */
export async function allInMemory(stored: StoredStatistics): Promise<ProjectionStatistics> {
  const { drift, heldOut } = stored;
  return {
    ...(await rankingStatistics(stored)),
    drift: await drift?.(),
    heldOut: heldOut && { gram: await heldOut.gram(), drift: await heldOut.drift() },
  };
}

/** What inputs are ranked by: all sums but those that only a refit needs. */
export async function rankingStatistics(stored: StoredStatistics): Promise<ProjectionStatistics> {
  const { tokenCount, mean } = stored;
  return {
    tokenCount,
    mean,
    gram: await stored.gram(),
    fisherFactor: await stored.fisherFactor?.(),
    weightSensitivity: await stored.weightSensitivity?.(),
  };
}
