// Scratch space that begins in memory.
import type { Scratch, StoredArray } from "../forward/run/scratch.ts";
import { roundedArray } from "./rounded-array.ts";

/**
 * Keeps what is put aside in memory as long as it fits.
 *
 * @param bytes of memory; what is removed makes room for others
 * @param beyond where the rest goes
 */
export function residentScratch(bytes: number, beyond: Scratch): Scratch {
  let left = bytes;
  const put: Scratch["put"] = async (data) => {
    if (data.byteLength > left) return beyond.put(data);
    return hold(data.slice());
  };
  const hold = (data: Float32Array<ArrayBuffer>): StoredArray => {
    const { byteLength } = data; // what leaves later must not hold the array itself
    left -= byteLength;
    return new HeldArray(data, () => {
      left += byteLength;
    });
  };
  return {
    put,
    putRounded: (data) => roundedArray(put, data),
    async clear() {
      left = bytes;
      await beyond.clear();
    },
  };
}

class HeldArray implements StoredArray {
  readonly length: number;
  #data: Float32Array<ArrayBuffer> | undefined;
  readonly #leave: () => void;

  constructor(data: Float32Array<ArrayBuffer>, leave: () => void) {
    this.length = data.length;
    this.#data = data;
    this.#leave = leave;
  }

  async read(): Promise<Float32Array<ArrayBuffer>> {
    return this.#held.slice();
  }

  async readInto(data: Float32Array): Promise<void> {
    if (data.length !== this.length) throw new RangeError(`${this.length} numbers do not fill ${data.length}`);
    data.set(this.#held);
  }

  async write(data: Float32Array): Promise<void> {
    if (data.length !== this.length)
      throw new RangeError(`there is room for ${this.length} numbers, not ${data.length}`);
    this.#held.set(data);
  }

  async remove(): Promise<void> {
    await this.take();
  }

  async take(): Promise<Float32Array<ArrayBuffer>> {
    const data = this.#held;
    this.#data = undefined;
    this.#leave();
    return data;
  }

  get #held(): Float32Array<ArrayBuffer> {
    if (this.#data === undefined) throw new RangeError("the array was taken");
    return this.#data;
  }
}
