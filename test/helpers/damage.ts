// Copies of models with one thing wrong, changed in place in their bytes.
import { readFileSync, writeFileSync } from "node:fs";
import { openPath } from "../../src/node/open-path.ts";

/** Changes the bytes of a file. */
export function edit(path: string, change: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = readFileSync(path);
  writeFileSync(path, change(bytes) ?? bytes);
}

/** Changes a file of JSON. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the file holds
export function editJson(path: string, change: (json: any) => object): void {
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, "utf8")))));
}

/** Where the data of a tensor lies in its file. */
export async function placeOf(path: string, name: string): Promise<{ offset: number; byteLength: number }> {
  const checkpoint = await openPath(path);
  await checkpoint.close();
  return checkpoint.tensors.get(name) as unknown as { offset: number; byteLength: number };
}

/** Where the value of a GGUF metadata key begins, after its type. */
export const afterKey = (bytes: Buffer, key: string): number => bytes.indexOf(`${key}`) + key.length + 4;

/** Where a GGUF header has the offset of a tensor. */
export function offsetField(bytes: Buffer, tensor: string): number {
  const name = Buffer.concat([lengthOf(tensor), Buffer.from(tensor)]);
  const dimensions = bytes.indexOf(name) + name.length;
  return dimensions + 4 + 8 * bytes.readUInt32LE(dimensions) + 4;
}

function lengthOf(text: string): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(text.length));
  return bytes;
}
