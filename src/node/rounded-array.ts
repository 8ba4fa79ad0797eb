// Arrays that are stored in bf16.
import { decodeBF16, encodeBF16 } from "../checkpoint/float16.ts";
import type { Scratch, StoredArray } from "../forward/run/scratch.ts";

/** Stores the values as bf16, two in the place of one f32. */
export async function roundedArray(put: Scratch["put"], data: Float32Array): Promise<StoredArray> {
  return new RoundedArray(data.length, await put(packed(data)));
}

class RoundedArray implements StoredArray {
  readonly length: number;
  readonly #pairs: StoredArray;

  constructor(length: number, pairs: StoredArray) {
    this.length = length;
    this.#pairs = pairs;
  }

  async read(): Promise<Float32Array<ArrayBuffer>> {
    return this.#unpacked(await this.#pairs.read());
  }

  async readInto(data: Float32Array): Promise<void> {
    unpack(await this.#pairs.read(), data);
  }

  async write(data: Float32Array): Promise<void> {
    await this.#pairs.write(packed(data));
  }

  remove(): Promise<void> {
    return this.#pairs.remove();
  }

  async take(): Promise<Float32Array<ArrayBuffer>> {
    return this.#unpacked(await this.#pairs.take());
  }

  #unpacked(pairs: Float32Array): Float32Array<ArrayBuffer> {
    const data = new Float32Array(this.length);
    unpack(pairs, data);
    return data;
  }
}

/** The words of pairs of values, which as numbers mean nothing. */
function packed(data: Float32Array): Float32Array {
  const bytes = encodeBF16(data);
  const pairs = new Float32Array(Math.ceil(data.length / 2));
  new Uint8Array(pairs.buffer).set(bytes);
  return pairs;
}

const unpack = (pairs: Float32Array, data: Float32Array): void =>
  decodeBF16(new Uint8Array(pairs.buffer, pairs.byteOffset, 2 * data.length), data);
