import { expect, test } from "vitest";
import { openGguf } from "../../src/checkpoint/gguf.ts";
import { compError } from "../helpers/errors.ts";
import { ggufBytes, text } from "../helpers/gguf-bytes.ts";
import { memorySource } from "../helpers/memory.ts";

const reversed = (version: number): Uint8Array => {
  const bytes = ggufBytes({});
  new DataView(bytes.buffer).setUint32(4, version, false);
  return bytes;
};
const starting = (start: string): Uint8Array => Uint8Array.from(Buffer.from(`${start}${"\0".repeat(64)}`, "latin1"));
const typed = (key: string, value: string): Uint8Array =>
  ggufBytes({
    metadata: [
      ["general.architecture", 8, text("llama")],
      [key, 8, text(value)],
    ],
  });
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 4468664\n`;

test.each<[string, Uint8Array, string, string]>([
  ["a big-endian file of version 3", reversed(3), "is a big-endian GGUF file", "gguf_convert_endian.py"],
  ["a big-endian file of version 2", reversed(2), "is a big-endian GGUF file", "gguf_convert_endian.py"],
  ["a magic in the other order, too", starting("FUGG"), "is a big-endian GGUF file", "gguf_convert_endian.py"],
  ["version 1", ggufBytes({ version: 1 }), "GGUF of version 1; 2 and 3 are supported", "current llama.cpp"],
  ["a version to come", ggufBytes({ version: 4 }), "GGUF of version 4; 2 and 3 are supported", "write it in version 3"],
  ["a LoRA adapter", typed("general.type", "adapter"), "is a LoRA adapter, not a model", "llama-export-lora"],
  ["a LoRA adapter that only says which kind", typed("adapter.type", "lora"), "is a LoRA adapter", "llama-export-lora"],
  ["a vision part", typed("general.type", "mmproj"), "is the vision part of a model", "of the language model"],
  ["an importance matrix", typed("general.type", "imatrix"), "is an importance matrix", "of the model"],
  ["a file of before GGUF", starting("tjgg"), "it is of llama.cpp's format before GGUF", "download a GGUF file"],
  ["PyTorch's archive", starting("PK\x03\x04"), "it is a zip archive, as PyTorch", "save_pretrained"],
  ["a git-lfs pointer", new TextEncoder().encode(POINTER), "is a git-lfs pointer", "git lfs pull"],
])("%s is told as what it is", async (_, bytes, message, hint) => {
  const source = memorySource("x.gguf", bytes);
  const error = await compError(openGguf(source));
  expect([error.kind, error.message, error.hint]).toEqual([
    "checkpoint",
    expect.stringContaining(message),
    expect.stringContaining(hint),
  ]);
  expect(error.message).toMatch(/^x\.gguf is/);
  expect(source.closed).toBe(true);
});

test("a model that says so is one", async () => {
  expect((await openGguf(memorySource("x", typed("general.type", "model")))).metadata.size).toBe(2);
});
