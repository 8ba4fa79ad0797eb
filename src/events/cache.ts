// What is told of the cache.

export interface CacheContents {
  readonly folder: string;
  /** The most that it may hold; the least recently used goes first. */
  readonly mostBytes: number;
  readonly bytes: number;
  /** The last used first. */
  readonly findings: readonly CachedFinding[];
}

/** Something that was found out about a model. */
export interface CachedFinding {
  readonly finding: string;
  /** Name of the model's folder or file when it was found out. */
  readonly model: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly usedAt: number;
}
