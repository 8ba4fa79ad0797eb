// Where a sweep puts what it will need again but must not hold: arrays too many for memory.

/** Space for arrays outside of memory, or in a part of it that is set aside for them. */
export interface Scratch {
  /** Stores a copy of the array. */
  put(data: Float32Array): Promise<StoredArray>;
  /** The same in half the room, each value rounded to bf16. */
  putRounded(data: Float32Array): Promise<StoredArray>;
  /** Removes everything; what was stored before can no longer be read. */
  clear(): Promise<void>;
}

/** An array that waits outside of memory; who holds this may have it back. */
export interface StoredArray {
  readonly length: number;
  read(): Promise<Float32Array<ArrayBuffer>>;
  /** Reads into memory of the same length, for who reads so often that new arrays would add up. */
  readInto(data: Float32Array): Promise<void>;
  /** Stores other values of the same length in its place. */
  write(data: Float32Array): Promise<void>;
  /** Removes the array. */
  remove(): Promise<void>;
  /** Reads the array and removes it. */
  take(): Promise<Float32Array<ArrayBuffer>>;
}
