// Token ids cut into windows of one length.

export interface TokenWindows {
  readonly ids: Int32Array; // [count, length]
  readonly count: number;
  /** Tokens of a window, BOS included. */
  readonly length: number;
}
