// Where a sweep puts what it will need again but must not hold: arrays too many for memory.

export interface Scratch {
  put(key: string, data: Float32Array): Promise<void>;
  read(key: string): Promise<Float32Array<ArrayBuffer>>;
  /** Reads what was put into memory of the same size, for who reads so often that new arrays would add up. */
  readInto(key: string, data: Float32Array): Promise<void>;
  /** Gives back what was put, and forgets it. */
  take(key: string): Promise<Float32Array<ArrayBuffer>>;
  /** Removes everything. */
  clear(): Promise<void>;
}
