// Reads the typed values of a GGUF header out of the part of the file that is at hand.
import { CompError } from "../errors.ts";
import type { MetadataValue } from "./checkpoint.ts";

/** A tokenizer's longest strings are chat templates of some 20 kB; a token's text has at most a few hundred bytes. */
const MAX_STRING_BYTES = 16 * 2 ** 20;
/** Arrays of arrays do not occur in models; a few levels cost nothing. */
const MAX_ARRAY_DEPTH = 4;
/** The largest vocabularies have 300,000 tokens, a million merges at most. */
const MAX_ARRAY_LENGTH = 2 ** 24;
const STRING = 8;
const ARRAY = 9;

/** The header goes on beyond the bytes at hand: to be parsed again with more of them. */
export class NeedMoreBytes extends Error {}

/** A position in the first bytes of a GGUF file, moved on by each value read. */
export class GgufReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;
  readonly #fileSize: number;
  // A byte order mark is a token of its own in some vocabularies: it must not vanish.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #position = 0;

  constructor(name: string, bytes: Uint8Array, fileSize: number) {
    this.#name = name;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#fileSize = fileSize;
  }

  get position(): number {
    return this.#position;
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** A count or size. @throws {CompError} "checkpoint" when no file could be that large. */
  size(what: string): number {
    const value = this.#view.getBigUint64(this.#advance(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.damaged(`${what} is ${value}`);
    return Number(value);
  }

  /** A number of things to come, each of which takes at least `bytesEach` of the file. */
  count(what: string, bytesEach: number): number {
    const value = this.size(`the number of ${what}`);
    if (value * bytesEach > this.#fileSize - this.#position)
      throw this.damaged(`it claims ${value} ${what}, more than the file can hold`);
    return value;
  }

  string(what: string): string {
    const length = this.count(`bytes of ${what}`, 1);
    if (length > MAX_STRING_BYTES) throw this.damaged(`${what} has ${length} bytes`);
    const start = this.#advance(length);
    return this.#decoder.decode(this.#bytes.subarray(start, start + length));
  }

  value(key: string): MetadataValue {
    return this.#typedValue(key, this.uint32(), 0);
  }

  damaged(what: string): CompError {
    return new CompError("checkpoint", `${this.#name} is damaged: ${what}`, { hint: "download or copy it again" });
  }

  #advance(length: number): number {
    const start = this.#position;
    if (start + length > this.#bytes.length) throw new NeedMoreBytes();
    this.#position += length;
    return start;
  }

  #typedValue(key: string, type: number, depth: number): MetadataValue {
    if (type === STRING) return this.string(`"${key}"`);
    if (type === ARRAY) return this.#array(key, depth);
    const scalar = SCALARS[type];
    if (scalar === undefined) throw this.damaged(`"${key}" has the unknown value type ${type}`);
    return scalar.read(this.#view, this.#advance(scalar.bytes));
  }

  #array(key: string, depth: number): MetadataValue[] {
    if (depth === MAX_ARRAY_DEPTH) throw this.damaged(`"${key}" nests arrays too deeply`);
    const type = this.uint32();
    const length = this.count(`elements of "${key}"`, SCALARS[type]?.bytes ?? 8);
    if (length > MAX_ARRAY_LENGTH) throw this.damaged(`"${key}" has ${length} elements`);
    const values: MetadataValue[] = [];
    for (let i = 0; i < length; i++) values.push(this.#typedValue(key, type, depth + 1));
    return values;
  }
}

interface Scalar {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number | bigint | boolean;
}

/** By the numbers of the format's value types; 64-bit integers are numbers wherever a number holds them exactly. */
const SCALARS: Readonly<Record<number, Scalar>> = {
  0: { bytes: 1, read: (view, at) => view.getUint8(at) },
  1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  2: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  3: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  4: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  5: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  6: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  7: { bytes: 1, read: (view, at) => view.getUint8(at) !== 0 },
  10: { bytes: 8, read: (view, at) => exactNumber(view.getBigUint64(at, true)) },
  11: { bytes: 8, read: (view, at) => exactNumber(view.getBigInt64(at, true)) },
  12: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
};

const exactNumber = (value: bigint): number | bigint => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};
