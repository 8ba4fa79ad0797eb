// Values as GGUF stores them: lengths and numbers little-endian, each metadata value after the number of its type.
import { ARRAY, type GgufScalarType, type GgufType, SCALARS, STRING } from "./gguf-types.ts";

/** Collects bytes of growing length. */
export class ByteBuilder {
  #bytes: Uint8Array = new Uint8Array(1024);
  #length = 0;

  bytes(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length); // first: it may put larger bytes in place of these
    this.#bytes.set(bytes, at);
    return this;
  }

  scalar(type: GgufScalarType, value: number): this {
    const { bytes, write } = SCALARS[type];
    const at = this.#reserve(bytes);
    write(new DataView(this.#bytes.buffer), at, value);
    return this;
  }

  string(value: string): this {
    const bytes = new TextEncoder().encode(value);
    return this.scalar("u64", bytes.length).bytes(bytes);
  }

  /** Zeros up to the next multiple of `alignment`. */
  align(alignment: number): this {
    this.#reserve(padding(this.#length, alignment));
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): number {
    const start = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
    }
    return start;
  }
}

/** Bytes missing from `length` to a multiple of `alignment`. */
export const padding = (length: number, alignment: number): number => (alignment - (length % alignment)) % alignment;

/** A metadata value in its stored form, its type first; a list of values becomes an array of that type. */
export function ggufValue(
  type: GgufType,
  value: string | number | boolean | readonly (string | number | boolean)[],
): Uint8Array {
  const builder = new ByteBuilder();
  const put = (element: string | number | boolean): void => {
    if (type === "string") builder.string(String(element));
    else builder.scalar(type, Number(element));
  };
  const code = type === "string" ? STRING : SCALARS[type].code;
  if (typeof value === "object") {
    builder.scalar("u32", ARRAY).scalar("u32", code).scalar("u64", value.length);
    value.forEach(put);
  } else {
    builder.scalar("u32", code);
    put(value);
  }
  return builder.finish();
}
