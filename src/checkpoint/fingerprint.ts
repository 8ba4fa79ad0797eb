// A name for a checkpoint's contents that costs no reading of gigabytes.
import type { ParsedFile } from "./stored-tensors.ts";

/** Bytes of each tensor that are hashed: fine-tuned siblings have the same headers and differ only in values. */
const SAMPLE_BYTES = 256;

/** SHA-256, hex, over each file's header and size and the first 256 bytes of every tensor; file names do not count. */
export async function fingerprint(files: readonly ParsedFile[]): Promise<string> {
  const parts: Uint8Array[] = [];
  for (const { source, dataStart, tensors } of files) {
    parts.push(await sha256(await source.read(0, dataStart)));
    parts.push(new Uint8Array(new Float64Array([source.size]).buffer));
    for (const { offset, byteLength } of tensors)
      parts.push(await source.read(offset, offset + Math.min(byteLength, SAMPLE_BYTES)));
  }
  return toHex(await sha256(concatenate(parts)));
}

const sha256 = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));

const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
