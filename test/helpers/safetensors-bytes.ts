// safetensors files put together by hand, damaged ones included.

/** A file of this header, as JSON or as text of any kind, followed by so many zero bytes. */
export function safetensorsBytes(header: object | string, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}
