// Token ids cut into windows of one length.

export interface TokenWindows {
  readonly ids: Int32Array; // [count, length]
  readonly count: number;
  /** Tokens of a window, BOS included. */
  readonly length: number;
}

/** A view on the windows `start` to `end` − 1. */
export const windowsBetween = ({ ids, length }: TokenWindows, start: number, end: number): TokenWindows => ({
  ids: ids.subarray(start * length, end * length),
  count: end - start,
  length,
});

/** As many whole windows as hold `tokens`; at least one, at most all. */
export const windowsOf = (tokens: number, { count, length }: TokenWindows): number =>
  Math.min(count, Math.max(1, Math.floor(tokens / length)));
