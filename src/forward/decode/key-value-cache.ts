// Keys and values of the tokens seen so far, for one decoder layer.
import { type Tensor, tensor } from "../../compute/tensor.ts";

/** Slots are added in steps, so that a program is compiled for few sizes only. */
const SLOTS = 64;

/** What keys and values wait in: as they are computed, or rounded, in half the memory. */
export type CacheType = "f32" | "f16";

/** Elements of f32, or bit patterns of f16. */
export type CacheData = Float32Array | Uint16Array;

const ARRAYS = { f32: Float32Array, f16: Uint16Array } as const;

/** Bytes of the keys and values of one token. */
export const tokenBytes = (type: CacheType, numKeyValueHeads: number, headDim: number): number =>
  2 * ARRAYS[type].BYTES_PER_ELEMENT * numKeyValueHeads * headDim;

/** Grows as tokens come; unused slots hold zeros, which the attention mask hides. */
export class KeyValueCache {
  readonly #type: CacheType;
  readonly #rows: number; // batch · numKeyValueHeads
  readonly #shape: readonly [batch: number, heads: number, headDim: number];
  #keys: CacheData;
  #values: CacheData;
  #capacity = 0;
  /** Tokens held. */
  length = 0;

  constructor(type: CacheType, batch: number, numKeyValueHeads: number, headDim: number) {
    this.#type = type;
    this.#rows = batch * numKeyValueHeads;
    this.#shape = [batch, numKeyValueHeads, headDim];
    [this.#keys, this.#values] = [new ARRAYS[type](0), new ARRAYS[type](0)];
    this.#grow(SLOTS);
  }

  get capacity(): number {
    return this.#capacity;
  }

  get keys(): Tensor {
    return this.#tensor(this.#keys);
  }

  get values(): Tensor {
    return this.#tensor(this.#values);
  }

  /** Appends `count` tokens: keys and values [batch, numKeyValueHeads, count, headDim], of the cache's type. */
  append(keys: CacheData, values: CacheData, count: number): void {
    if (this.length + count > this.#capacity) this.#grow(Math.ceil((this.length + count) / SLOTS) * SLOTS);
    this.#copyRows(keys, count, this.#keys, this.#capacity, this.length, count);
    this.#copyRows(values, count, this.#values, this.#capacity, this.length, count);
    this.length += count;
  }

  #grow(capacity: number): void {
    const resize = (old: CacheData): CacheData => {
      const grown = new ARRAYS[this.#type](this.#rows * capacity * this.#shape[2]);
      this.#copyRows(old, this.#capacity, grown, capacity, 0, this.#capacity);
      return grown;
    };
    this.#keys = resize(this.#keys);
    this.#values = resize(this.#values);
    this.#capacity = capacity;
  }

  /** Copies `count` tokens of each head's row from the start of `from` to slot `at` of `to`; sizes in tokens a row. */
  #copyRows(from: CacheData, fromSize: number, to: CacheData, toSize: number, at: number, count: number): void {
    const headDim = this.#shape[2];
    for (let row = 0; row < this.#rows; row++) {
      const start = row * fromSize * headDim;
      to.set(from.subarray(start, start + count * headDim), (row * toSize + at) * headDim);
    }
  }

  #tensor(data: CacheData): Tensor {
    const [batch, heads, headDim] = this.#shape;
    return tensor(data, [batch, heads, this.#capacity, headDim]);
  }
}
