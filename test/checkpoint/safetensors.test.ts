import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openFolder } from "../../src/checkpoint/open-checkpoint.ts";
import { CompError } from "../../src/errors.ts";
import { openPath } from "../../src/node/open-path.ts";
import { compError } from "../helpers/errors.ts";
import { TINY_FAMILIES, tinyPath } from "../helpers/fixtures.ts";
import { type MemorySource, memoryFolder } from "../helpers/memory.ts";
import { safetensorsBytes } from "../helpers/safetensors-bytes.ts";

const entry = (dtype: string, shape: unknown, begin: unknown, end: unknown): object => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const openBytes = (bytes: Uint8Array): ReturnType<typeof openFolder> =>
  openFolder(memoryFolder({ "model.safetensors": bytes }));
const refusal = async (bytes: Uint8Array): Promise<string> => {
  const error = await compError(openBytes(bytes));
  expect(error.kind).toBe("checkpoint");
  return error.message;
};

describe("checkpoints that transformers wrote", () => {
  test.each(TINY_FAMILIES)("%s opens with the shapes of its config", async (family) => {
    const checkpoint = await openPath(tinyPath(family));
    const config = JSON.parse((await checkpoint.readText("config.json"))!);
    expect(checkpoint.format).toBe("safetensors");
    expect(checkpoint.tensors.get("model.embed_tokens.weight")!.shape).toEqual([96, 32]);
    expect(checkpoint.tensors.get("model.layers.2.mlp.down_proj.weight")!.shape).toEqual([32, 80]);
    expect(checkpoint.tensors.has("lm_head.weight")).toBe(!config.tie_word_embeddings);
    expect(await checkpoint.readText("absent.json")).toBeUndefined();
    await checkpoint.close();
  });

  test("rows are the rows of the whole tensor", async () => {
    const checkpoint = await openPath(tinyPath("llama"));
    const name = "model.layers.1.mlp.up_proj.weight"; // [80, 32]
    const whole = await checkpoint.read(name);
    // Corner values as safetensors.numpy.load_file gives them.
    expect(whole.length).toBe(2560);
    expect(whole.slice(0, 3)).toEqual(
      Float32Array.of(-0.07266916334629059, -0.10615365952253342, -0.14061498641967773),
    );
    expect(whole.slice(-2)).toEqual(Float32Array.of(-0.009815244935452938, 0.2409004271030426));
    expect(await checkpoint.readRows(name, 7, 9)).toEqual(whole.slice(224, 288));
    expect(await checkpoint.readRows(name, 80, 80)).toEqual(new Float32Array());
    await expect(checkpoint.readRows(name, 79, 81)).rejects.toThrow(RangeError);
    expect((await compError(checkpoint.read("model.nothing"))).message).toContain('no tensor "model.nothing"');
    await checkpoint.close();
  });
});

describe("shards", () => {
  const a = safetensorsBytes({ a: entry("F32", [2], 0, 8) }, 8);
  const b = safetensorsBytes({ b: entry("F16", [3], 0, 6) }, 6);
  const index = (weightMap: object): string => JSON.stringify({ metadata: {}, weight_map: weightMap });

  test("together form one checkpoint", async () => {
    const files = { "1.safetensors": a, "2.safetensors": b };
    const text = index({ a: "1.safetensors", b: "2.safetensors" });
    const checkpoint = await openFolder(memoryFolder({ ...files, "model.safetensors.index.json": text }));
    expect([...checkpoint.tensors.keys()]).toEqual(["a", "b"]);
    expect(await checkpoint.read("b")).toEqual(new Float32Array(3));
  });

  test.each<[string, Record<string, Uint8Array | string>, string]>([
    ["a missing shard is named", { "model.safetensors.index.json": index({ a: "2.safetensors" }) }, "2.safetensors"],
    ["an index cannot lead out of the folder", { "model.safetensors.index.json": index({ a: "../x" }) }, "../x"],
    ["an index that is not JSON", { "model.safetensors.index.json": "{" }, "is not JSON"],
    ["an index without a map", { "model.safetensors.index.json": "{}" }, "no weight_map"],
    ["an index of null", { "model.safetensors.index.json": "null" }, "no weight_map"],
    [
      "a tensor that is not where the index says",
      { "model.safetensors.index.json": index({ a: "1.safetensors", z: "1.safetensors" }), "1.safetensors": a },
      'lacks tensor "z"',
    ],
    [
      "a tensor in two shards",
      {
        "model.safetensors.index.json": index({ a: "1.safetensors", b: "2.safetensors" }),
        "1.safetensors": a,
        "2.safetensors": a,
      },
      'lacks tensor "b"',
    ],
    ["two files without an index", { "1.safetensors": a, "2.safetensors": b }, "2 safetensors files and no"],
  ])("%s", async (_, files, message) => {
    const error = await compError(openFolder(memoryFolder(files)));
    expect(error.kind).toBe("checkpoint");
    expect(error.message).toContain(message);
  });

  test("the same tensor in two shards is refused, and every file is closed again", async () => {
    const both = safetensorsBytes({ a: entry("F32", [2], 0, 8), b: entry("F16", [3], 8, 14) }, 14);
    const sources: MemorySource[] = [];
    const text = index({ a: "1.safetensors", b: "2.safetensors" });
    const files = { "1.safetensors": a, "2.safetensors": both, "model.safetensors.index.json": text };
    const error = await compError(openFolder(memoryFolder(files, sources)));
    expect(error.message).toContain('tensor "a" is in model/1.safetensors and again in model/2.safetensors');
    expect(sources.every((source) => source.closed)).toBe(true);
  });

  test("a single file of any name will do", async () => {
    expect((await openFolder(memoryFolder({ "weights.safetensors": a }))).tensors.size).toBe(1);
  });
});

describe("damage", () => {
  test.each<[string, Uint8Array, string]>([
    ["a file of four bytes", new Uint8Array(4), "only 4 bytes"],
    [
      "a header beyond the file",
      Uint8Array.of(200, 0, 0, 0, 0, 0, 0, 0, 123),
      "its header has 200 bytes, the whole file 9",
    ],
    ["a header that is no JSON", safetensorsBytes("{nonsense", 0), "is not JSON"],
    ["a header that is a list", safetensorsBytes("[]", 0), "not a JSON object"],
    ["an entry that is null", safetensorsBytes({ a: null }, 0), "no proper dtype, shape and offsets"],
    ["a negative size", safetensorsBytes({ a: entry("F32", [-1], 0, 4) }, 4), "no proper"],
    ["a fractional size", safetensorsBytes({ a: entry("F32", [1.5], 0, 6) }, 6), "no proper"],
    ["too many dimensions", safetensorsBytes({ a: entry("F32", Array(9).fill(1), 0, 4) }, 4), "9 dimensions"],
    ["a size that overflows", safetensorsBytes({ a: entry("F32", [2 ** 40, 2 ** 40], 0, 4) }, 4), "but has 4 bytes"],
    [
      "a shape that does not fit its bytes",
      safetensorsBytes({ a: entry("F16", [2, 3], 0, 8) }, 8),
      "F16 [2, 3] but has 8",
    ],
    ["offsets in the wrong order", safetensorsBytes({ a: entry("F32", [1], 4, 0) }, 4), "but has -4 bytes"],
    [
      "overlapping tensors",
      safetensorsBytes({ a: entry("F32", [2], 0, 8), b: entry("F32", [1], 4, 8) }, 8),
      'tensor "b" overlaps "a"',
    ],
    [
      "a tensor beyond the end",
      safetensorsBytes({ a: entry("F32", [4], 0, 16) }, 10),
      "describes 79 bytes, the file has 73",
    ],
    ["bytes that nothing describes", safetensorsBytes({ a: entry("F32", [1], 0, 4) }, 6), "the file has"],
    [
      "a name given twice",
      safetensorsBytes(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        8,
      ),
      'tensor "a" is given twice',
    ],
    [
      "a name given twice, for the same bytes in two shapes",
      safetensorsBytes(
        '{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]} ,\n "a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}',
        8,
      ),
      'tensor "a" is given twice',
    ],
  ])("%s is refused with the reason", async (_, bytes, message) => {
    expect(await refusal(bytes)).toContain(message);
  });

  test("an unsupported type is named with its tensor", async () => {
    const bytes = safetensorsBytes({ "x.qweight": entry("I32", [1], 0, 4) }, 4);
    expect(await refusal(bytes)).toContain('tensor "x.qweight" is of type I32, which is not supported');
  });

  test("a header that claims 2^60 bytes is refused before anything of that size is read", async () => {
    const sources: MemorySource[] = [];
    const bytes = new Uint8Array(100);
    new DataView(bytes.buffer).setBigUint64(0, 2n ** 60n, true);
    const error = await compError(openFolder(memoryFolder({ "model.safetensors": bytes }, sources)));
    expect(error.message).toContain("claims to have 1152921504606846976 bytes");
    expect(sources[0]!.bytesRead).toBeLessThan(100);
  });

  const real = Uint8Array.from(readFileSync(`${tinyPath("llama")}/model.safetensors`));

  test("a real file cut anywhere is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: real.length - 1 }), async (length) => {
        expect(await refusal(real.subarray(0, length))).toMatch(/damaged|cut short|not a safetensors/);
      }),
      { numRuns: 50 },
    );
  });

  test("a real file with a changed header byte opens or is refused, nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 2500 }), fc.nat({ max: 255 }), async (at, value) => {
        const bytes = real.slice();
        bytes[at] = value;
        await openBytes(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(CompError));
      }),
      { numRuns: 200 },
    );
  });
});

describe("fingerprint", () => {
  const header = { a: entry("F32", [1000], 0, 4000) };
  const of = async (bytes: Uint8Array, file = "model.safetensors"): Promise<string> =>
    (await openFolder(memoryFolder({ [file]: bytes }))).fingerprint();

  test("is the same for the same bytes under another name, and differs by header, size and values", async () => {
    const bytes = safetensorsBytes(header, 4000);
    const changed = bytes.slice();
    changed[bytes.length - 4000] = 1;
    const shaped = safetensorsBytes({ a: entry("F32", [10, 100], 0, 4000) }, 4000);
    const first = await of(bytes);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await of(bytes, "other.safetensors")).toBe(first);
    expect(new Set([first, await of(changed), await of(shaped)]).size).toBe(3);
  });
});
