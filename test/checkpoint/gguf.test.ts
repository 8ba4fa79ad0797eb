import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MetadataValue } from "../../src/checkpoint/checkpoint.ts";
import { openGguf } from "../../src/checkpoint/gguf.ts";
import { CompError } from "../../src/errors.ts";
import { compError } from "../helpers/errors.ts";
import { fixturePath, readJsonFixture } from "../helpers/fixtures.ts";
import { type GgufParts, type GgufTensor, ggufBytes, strings, text, u32, u64 } from "../helpers/gguf-bytes.ts";
import { memorySource } from "../helpers/memory.ts";

// Written by the gguf Python package; made by test/fixtures/make-gguf.py.
const sample = Uint8Array.from(readFileSync(fixturePath("sample.gguf")));
const expected = readJsonFixture<{
  metadata: Record<string, MetadataValue>;
  tensors: Record<string, { dtype: string; shape: number[]; values: string }>;
}>("sample-gguf.json");
const floats = (base64: string): Float32Array =>
  new Float32Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer);

const refusal = async (bytes: Uint8Array): Promise<string> => {
  const source = memorySource("x.gguf", bytes);
  const error = await compError(openGguf(source));
  expect(error.kind).toBe("checkpoint");
  expect(source.closed).toBe(true);
  return error.message;
};

describe("a file of the gguf package", () => {
  test("gives all metadata, of every value type", async () => {
    const { metadata } = await openGguf(memorySource("sample.gguf", sample));
    expect(Object.fromEntries(metadata)).toEqual(expected.metadata);
  });

  test("gives every tensor row-major with the package's values", async () => {
    const checkpoint = await openGguf(memorySource("sample.gguf", sample));
    expect([...checkpoint.tensors.keys()]).toEqual(Object.keys(expected.tensors));
    for (const [name, { dtype, shape, values }] of Object.entries(expected.tensors)) {
      expect(checkpoint.tensors.get(name)).toMatchObject({ dtype, shape });
      expect(await checkpoint.read(name)).toEqual(floats(values));
    }
  });

  test("gives rows of quantized tensors", async () => {
    const checkpoint = await openGguf(memorySource("sample.gguf", sample));
    const up = floats(expected.tensors["blk.0.ffn_up.weight"]!.values); // [6, 64], two blocks a row
    expect(await checkpoint.readRows("blk.0.ffn_up.weight", 2, 5)).toEqual(up.slice(128, 320));
  });

  test("knows its format, its file, no companions, and a fingerprint", async () => {
    const checkpoint = await openGguf(memorySource("sample.gguf", sample));
    expect(checkpoint.format).toBe("gguf");
    expect(checkpoint.files).toEqual(["sample.gguf"]);
    expect(await checkpoint.readText("config.json")).toBeUndefined();
    expect(await checkpoint.fingerprint()).toMatch(/^[0-9a-f]{64}$/);
  });
});

test("a long header is read in pieces, and the data behind it not at all", async () => {
  const tokens = Array.from({ length: 150_000 }, (_, i) => `token-${i}`);
  const tensor = { name: "w", dimensions: [1024, 4096], type: 0, offset: 0 };
  const parts: GgufParts = { metadata: [["tokens", 9, strings(tokens)]], tensors: [tensor], dataBytes: 2 ** 24 };
  const source = memorySource("long.gguf", ggufBytes(parts));
  const checkpoint = await openGguf(source);
  expect(checkpoint.metadata.get("tokens")).toEqual(tokens);
  expect(source.bytesRead).toBe(2 ** 20 + 2 ** 22);
});

test("64-bit integers beyond exact numbers stay whole", async () => {
  const checkpoint = await openGguf(memorySource("x", ggufBytes({ metadata: [["big", 10, u64(2n ** 63n + 1n)]] })));
  expect(checkpoint.metadata.get("big")).toBe(2n ** 63n + 1n);
});

test("another alignment moves the data", async () => {
  const parts: GgufParts = {
    metadata: [["general.alignment", 4, u32(128)]],
    tensors: [{ name: "w", dimensions: [2], type: 0, offset: 0 }],
    dataBytes: 8,
    alignment: 128,
  };
  const bytes = ggufBytes(parts);
  bytes.set(new Uint8Array(Float32Array.of(3, 4).buffer), bytes.length - 8);
  expect(await (await openGguf(memorySource("x", bytes))).read("w")).toEqual(Float32Array.of(3, 4));
});

describe("damage", () => {
  const tensor: GgufTensor = { name: "w", dimensions: [32, 2], type: 8, offset: 0 }; // Q8_0, 68 bytes
  const withTensor = (change: Partial<GgufTensor>, dataBytes = 68): Uint8Array =>
    ggufBytes({ tensors: [{ ...tensor, ...change }], dataBytes });
  const noise = Uint8Array.from([...new TextEncoder().encode("GGUF"), ...Array(256).keys()]);
  const claims = (tensors: bigint, entries: bigint): Uint8Array => {
    const bytes = ggufBytes({});
    new DataView(bytes.buffer).setBigUint64(8, tensors, true);
    new DataView(bytes.buffer).setBigUint64(16, entries, true);
    return bytes;
  };
  const deep = Uint8Array.from(Buffer.concat([...Array(9)].flatMap(() => [u32(9), u64(1)])));

  test.each<[string, Uint8Array, string]>([
    ["an empty file", new Uint8Array(), "is not a GGUF file"],
    ["a file of another kind", new TextEncoder().encode("PK\u0003\u0004 and more"), "is not a GGUF file"],
    ["noise", noise, "version 50462976"],
    ["version 1", ggufBytes({ version: 1 }), "version 1; 2 and 3 are supported"],
    ["more tensors than the file can hold", claims(2n ** 40n, 0n), "claims 1099511627776 tensors"],
    ["a count beyond any number", claims(0n, 2n ** 63n), "the number of metadata entries is 9223372036854775808"],
    ["an unknown value type", ggufBytes({ metadata: [["k", 99, u64(0)]] }), '"k" has the unknown value type 99'],
    ["a string beyond the file", ggufBytes({ metadata: [["k", 8, u64(2 ** 33)]] }), "claims 8589934592 bytes of"],
    [
      "an array beyond the file",
      ggufBytes({ metadata: [["k", 9, Uint8Array.from([...u32(4), ...u64(2 ** 33)])]] }),
      "elements of",
    ],
    ["arrays in arrays without end", ggufBytes({ metadata: [["k", 9, deep]] }), "nests arrays too deeply"],
    [
      "a key given twice",
      ggufBytes({
        metadata: [
          ["k", 8, text("a")],
          ["k", 8, text("b")],
        ],
      }),
      '"k" is given twice',
    ],
    ["an alignment of zero", ggufBytes({ metadata: [["general.alignment", 4, u32(0)]] }), "general.alignment is 0"],
    [
      "an alignment that is text",
      ggufBytes({ metadata: [["general.alignment", 8, text("a")]] }),
      'general.alignment is "a"',
    ],
    ["a part of a split model", ggufBytes({ metadata: [["split.count", 4, u32(3)]] }), "one of 3 parts"],
    ["too many dimensions", withTensor({ dimensions: [32, 1, 1, 1, 1] }), "5 dimensions"],
    ["rows that are no whole blocks", withTensor({ dimensions: [31, 2] }), "cannot have the shape [2, 31]"],
    ["a shape that overflows", withTensor({ dimensions: [2 ** 40, 2 ** 40] }), "cannot have the shape"],
    ["a tensor that is not aligned", withTensor({ offset: 8 }), "is not aligned"],
    ["a file cut short", withTensor({}, 60), "cut short: its header describes 164 bytes, the file has 156"],
    ["a tensor far outside", withTensor({ offset: 2n ** 50n }), "cut short"],
    [
      "a type that ggml knows",
      withTensor({ type: 15, dimensions: [256] }),
      'tensor "w" is of type Q8_K, which is not supported',
    ],
    ["a type that nobody knows", withTensor({ type: 77 }), "is of type 77"],
    [
      "a tensor given twice",
      ggufBytes({ tensors: [tensor, { ...tensor, offset: 96 }], dataBytes: 200 }),
      'tensor "w" is in',
    ],
    [
      "overlapping tensors",
      ggufBytes({ tensors: [tensor, { ...tensor, name: "v", offset: 32 }], dataBytes: 200 }),
      'tensor "v" overlaps "w"',
    ],
  ])("%s is refused with the reason", async (_, bytes, message) => {
    expect(await refusal(bytes)).toContain(message);
  });

  test("a sample cut anywhere is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: sample.length - 1 }), async (length) => {
        expect(await refusal(sample.subarray(0, length))).toMatch(/damaged|cut short|not a GGUF/);
      }),
      { numRuns: 100 },
    );
  });

  test("a sample with a changed byte opens or is refused, nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 1000 }), fc.nat({ max: 255 }), async (at, value) => {
        const bytes = sample.slice();
        bytes[at] = value;
        const opening = openGguf(memorySource("x", bytes));
        await opening.catch((error: unknown) => expect(error).toBeInstanceOf(CompError));
      }),
      { numRuns: 300 },
    );
  });
});
