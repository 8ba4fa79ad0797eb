// Reads the typed values of a GGUF header from the part of the file that has been loaded.
import { CompError } from "../errors.ts";
import type { MetadataValue } from "./checkpoint.ts";
import { ARRAY, type GgufScalar, SCALARS, STRING } from "./gguf-types.ts";

/** A tokenizer's longest strings are chat templates of some 20 kB; a token's text has at most a few hundred bytes. */
const MAX_STRING_BYTES = 16 * 2 ** 20;
/** Arrays of arrays do not occur in models; a few levels cost nothing. */
const MAX_ARRAY_DEPTH = 4;
/** Of all arrays together: the largest vocabularies have 300,000 tokens, a million merges at most. */
const MAX_ELEMENTS = 2 ** 24;

/** The header goes on beyond the loaded bytes: it has to be parsed again with more of them. */
export class NeedMoreBytes extends Error {}

/** A position in the first bytes of a GGUF file, moved on by each value read. */
export class GgufReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;
  readonly #fileSize: number;
  // A byte order mark is a token of its own in some vocabularies: it must be kept.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #position = 0;
  #elements = 0;

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

  /** A number of things to come, no more than `most`, each of which takes at least `bytesEach` of the file. */
  count(what: string, bytesEach: number, most: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.size(`the number of ${what}`);
    if (value * bytesEach > this.#fileSize - this.#position)
      throw this.damaged(`it claims ${value} ${what}, more than the file can hold`);
    if (value > most) throw this.damaged(`it claims ${value} ${what}, and ${most} are taken at most`);
    return value;
  }

  string(what: string): string {
    const length = this.count(`bytes of ${what}`, 1, MAX_STRING_BYTES);
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
    const scalar = SCALARS_BY_CODE.get(type);
    if (scalar === undefined) throw this.damaged(`"${key}" has the unknown value type ${type}`);
    return scalar.read(this.#view, this.#advance(scalar.bytes));
  }

  #array(key: string, depth: number): MetadataValue[] {
    if (depth === MAX_ARRAY_DEPTH) throw this.damaged(`"${key}" nests arrays too deeply`);
    const type = this.uint32();
    const bytesEach = SCALARS_BY_CODE.get(type)?.bytes ?? 8;
    const length = this.count(`elements of "${key}"`, bytesEach, MAX_ELEMENTS - this.#elements);
    this.#elements += length;
    const values: MetadataValue[] = [];
    for (let i = 0; i < length; i++) values.push(this.#typedValue(key, type, depth + 1));
    return values;
  }
}

/** By the numbers that stand for them in a file. */
const SCALARS_BY_CODE: ReadonlyMap<number, GgufScalar> = new Map(
  Object.values(SCALARS).map((scalar) => [scalar.code, scalar]),
);
