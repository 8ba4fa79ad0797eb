// Token ids cut into windows of one length.

export interface TokenWindows {
  readonly tokens: Int32Array; // [count, length]
  readonly count: number;
  readonly length: number;
}
