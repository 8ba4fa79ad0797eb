// GGUF files put together by hand, damaged ones included.

export interface GgufTensor {
  name: string;
  /** As the file counts them: innermost first. */
  dimensions: (number | bigint)[];
  type: number;
  offset: number | bigint;
}

export interface GgufParts {
  version?: number;
  /** Key, value type and encoded value. */
  metadata?: [key: string, type: number, value: Uint8Array][];
  tensors?: GgufTensor[];
  dataBytes?: number;
  alignment?: number;
}

const joined = (parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

export function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

export function u64(value: number | bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
}

export function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  return joined([u64(bytes.length), bytes]);
}

export const strings = (values: readonly string[]): Uint8Array =>
  joined([u32(8), u64(values.length), ...values.map(text)]);

export function ggufBytes(parts: GgufParts): Uint8Array {
  const { version = 3, metadata = [], tensors = [], dataBytes = 0, alignment = 32 } = parts;
  const header = joined([
    new TextEncoder().encode("GGUF"),
    u32(version),
    u64(tensors.length),
    u64(metadata.length),
    ...metadata.flatMap(([key, type, value]) => [text(key), u32(type), value]),
    ...tensors.flatMap(({ name, dimensions, type, offset }) => [
      text(name),
      u32(dimensions.length),
      ...dimensions.map(u64),
      u32(type),
      u64(offset),
    ]),
  ]);
  const dataStart = Math.ceil(header.length / alignment) * alignment;
  const bytes = new Uint8Array(dataStart + dataBytes);
  bytes.set(header);
  return bytes;
}
