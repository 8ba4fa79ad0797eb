// Keys and values of the tokens seen so far, for one decoder layer.
import { type Tensor, tensor } from "../../compute/tensor.ts";

/** Slots are added in steps, so that a program is compiled for few sizes only. */
const SLOTS = 64;

/** Grows as tokens come; unused slots hold zeros, which the attention mask hides. */
export class KeyValueCache {
  readonly #rows: number; // batch · numKeyValueHeads
  readonly #shape: readonly [batch: number, heads: number, headDim: number];
  #keys = new Float32Array(0);
  #values = new Float32Array(0);
  #capacity = 0;
  /** Tokens held. */
  length = 0;

  constructor(batch: number, numKeyValueHeads: number, headDim: number) {
    this.#rows = batch * numKeyValueHeads;
    this.#shape = [batch, numKeyValueHeads, headDim];
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

  /** Appends `count` tokens: keys and values [batch, numKeyValueHeads, count, headDim]. */
  append(keys: Float32Array, values: Float32Array, count: number): void {
    if (this.length + count > this.#capacity) this.#grow(Math.ceil((this.length + count) / SLOTS) * SLOTS);
    this.#copyRows(keys, count, this.#keys, this.#capacity, this.length, count);
    this.#copyRows(values, count, this.#values, this.#capacity, this.length, count);
    this.length += count;
  }

  #grow(capacity: number): void {
    const resize = (old: Float32Array): Float32Array<ArrayBuffer> => {
      const grown = new Float32Array(this.#rows * capacity * this.#shape[2]);
      this.#copyRows(old, this.#capacity, grown, capacity, 0, this.#capacity);
      return grown;
    };
    this.#keys = resize(this.#keys);
    this.#values = resize(this.#values);
    this.#capacity = capacity;
  }

  /** Copies `count` tokens of each head's row from the start of `from` to slot `at` of `to`; sizes in tokens a row. */
  #copyRows(from: Float32Array, fromSize: number, to: Float32Array, toSize: number, at: number, count: number): void {
    const headDim = this.#shape[2];
    for (let row = 0; row < this.#rows; row++) {
      const start = row * fromSize * headDim;
      to.set(from.subarray(start, start + count * headDim), (row * toSize + at) * headDim);
    }
  }

  #tensor(data: Float32Array): Tensor {
    const [batch, heads, headDim] = this.#shape;
    return tensor(data, [batch, heads, this.#capacity, headDim]);
  }
}
