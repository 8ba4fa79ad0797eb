// A sum of a few of several outputs, weighed token by token, as criteria for whole outputs take it: what calibration has found of it.

/** Sums over calibration tokens, of those that go to each output. */
export interface RoutedSums {
  /** How many. f64 [outputs] */
  readonly tokens: Float64Array;
  /** Σ ‖f‖ of the output f. f64 [outputs] */
  readonly norms: Float64Array;
  /** Σ ‖f‖². f64 [outputs] */
  readonly squares: Float64Array;
  /** Σ w ‖f‖, w what the output counts for the token. f64 [outputs] */
  readonly weighed: Float64Array;
  /** What is known of each token by itself; present where it was asked for. */
  readonly rerouting?: Rerouting | undefined;
}

/** Which outputs tokens go to when some are gone, and what they then write. */
export interface Rerouting {
  readonly tokenCount: number;
  /** Of how many outputs. */
  readonly outputs: number;
  /** How many of them a token goes to. */
  readonly perToken: number;
  /** All outputs in the order in which a token chooses them, the first one first. [tokens, outputs] */
  readonly order: Uint16Array;
  /** Of how many of these, from the first on, it is known what they write. */
  readonly known: number;
  /**
   * Inner products of the target, what should be written, and of the first `known` outputs, in this order, in the metric of
   * the loss. f32 [tokens, 1 + known, 1 + known]
   */
  readonly products: Float32Array;
  /** Whether the weights of a token change when an output is gone that it does not go to. */
  readonly dependsOnAll: boolean;
  /** What the outputs `chosen` count for a token when others are gone, 1 in `gone`. */
  weigh(token: number, chosen: Int32Array, gone: Uint8Array): Float64Array;
}
