import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decode, encode, type FloatDtype } from "../../src/checkpoint/dtype.ts";
import { openFolder } from "../../src/checkpoint/open-checkpoint.ts";
import { planShards, type TensorPlan, writeSafetensors } from "../../src/checkpoint/write-safetensors.ts";
import { compError } from "../helpers/errors.ts";
import { memoryFolder, memoryOutput } from "../helpers/memory.ts";

const size = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);
const headerOf = (bytes: Uint8Array): Record<string, { data_offsets: [number, number] }> =>
  JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true)))));

const anyTensor = fc.record({
  name: fc.stringMatching(/^[a-z.]{1,12}$/),
  shape: fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 3 }),
  dtype: fc.constantFrom<FloatDtype>("F32", "F16", "BF16"),
});
const anyTensors = fc.uniqueArray(anyTensor, { selector: (tensor) => tensor.name, minLength: 1, maxLength: 8 });

describe("writing and reading back", () => {
  test("is the identity for values that the type holds, over any number of shards", async () => {
    await fc.assert(
      fc.asyncProperty(anyTensors, fc.integer({ min: 1, max: 500 }), fc.nat(), async (tensors, maxBytes, seed) => {
        const shards = planShards(tensors, maxBytes);
        const output = memoryOutput();
        const writer = await writeSafetensors(output, shards);
        const values = new Map(
          tensors.map(({ name, shape, dtype }, t) => {
            const raw = Float32Array.from({ length: size(shape) }, (_, i) => Math.sin(seed + t + i) * 100);
            return [name, decode(dtype, encode(dtype, raw))];
          }),
        );
        for (const [name, data] of [...values].reverse()) await writer.write(name, data);
        await writer.finish();
        const checkpoint = await openFolder(memoryFolder(output.files));
        expect([...checkpoint.tensors.keys()].sort()).toEqual([...values.keys()].sort());
        for (const { name, shape, dtype } of tensors) {
          expect(checkpoint.tensors.get(name)).toMatchObject({ shape, dtype });
          expect(await checkpoint.read(name)).toEqual(values.get(name));
        }
        const written = Object.entries(output.files).filter(([file]) => file.endsWith(".safetensors"));
        expect(shards.reduce((total, { byteLength }) => total + byteLength, 0)).toBe(
          written.reduce((total, [, bytes]) => total + bytes.length, 0),
        );
      }),
      { numRuns: 60 },
    );
  });

  test("works in tiles of rows, in any order", async () => {
    const output = memoryOutput();
    const writer = await writeSafetensors(output, planShards([{ name: "w", shape: [5, 3], dtype: "F16" }], 100));
    const values = Float32Array.from({ length: 15 }, (_, i) => i);
    await writer.writeRows("w", 2, values.subarray(6, 15));
    await writer.writeRows("w", 0, values.subarray(0, 6));
    await writer.finish();
    expect(await (await openFolder(memoryFolder(output.files))).read("w")).toEqual(values);
  });
});

describe("the files", () => {
  const tensors: TensorPlan[] = [
    { name: "b", shape: [3], dtype: "F16" },
    { name: "c", shape: [2], dtype: "F32" },
    { name: "a", shape: [4], dtype: "F16" },
  ];

  test("one shard has the plain name, aligned data, wide types first and the mark of transformers", async () => {
    const output = memoryOutput();
    await writeSafetensors(output, planShards(tensors, 1000));
    expect(Object.keys(output.files)).toEqual(["model.safetensors"]);
    const bytes = output.files["model.safetensors"]!;
    expect(bytes.length % 8).toBe(0); // only the header is there so far
    expect(headerOf(bytes)).toEqual({
      __metadata__: { format: "pt" },
      c: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
      a: { dtype: "F16", shape: [4], data_offsets: [8, 16] },
      b: { dtype: "F16", shape: [3], data_offsets: [16, 22] },
    });
  });

  test("several shards are numbered, filled in order and indexed", async () => {
    const output = memoryOutput();
    const writer = await writeSafetensors(output, planShards(tensors, 14));
    for (const { name, shape } of tensors) await writer.write(name, new Float32Array(size(shape)));
    await writer.finish();
    const index = JSON.parse(new TextDecoder().decode(output.files["model.safetensors.index.json"]));
    expect(index).toEqual({
      metadata: { total_size: 22 },
      weight_map: {
        a: "model-00002-of-00002.safetensors",
        b: "model-00001-of-00002.safetensors",
        c: "model-00001-of-00002.safetensors",
      },
    });
    expect(Object.keys(output.files)).toHaveLength(3);
  });

  test("a tensor larger than a shard has one of its own", () => {
    const sizes = planShards(tensors, 1).map((shard) => shard.tensors.length);
    expect(sizes).toEqual([1, 1, 1]);
  });

  test("two tensors of one name are a mistake", () => {
    expect(() => planShards([tensors[0]!, tensors[0]!], 100)).toThrow(RangeError);
  });
});

describe("values that a checkpoint must not hold", () => {
  test.each<[FloatDtype, number, string, string]>([
    ["F32", Number.NaN, 'tensor "w" has the value NaN', "calibration"],
    ["F16", Number.NEGATIVE_INFINITY, 'tensor "w" has the value -Infinity', "calibration"],
    ["F16", 65520, 'tensor "w" has the value 65520, which F16 cannot hold', "--dtype bf16 or --dtype f32"],
    ["BF16", -3.4e38, "which BF16 cannot hold", "--dtype f32"],
  ])("%s refuses %d", async (dtype, value, message, hint) => {
    const writer = await writeSafetensors(memoryOutput(), planShards([{ name: "w", shape: [2], dtype }], 100));
    const error = await compError(writer.write("w", Float32Array.of(1, value)));
    expect(error.kind).toBe("numeric");
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  test("the largest f16 and what rounds to it are written", async () => {
    const output = memoryOutput();
    const writer = await writeSafetensors(output, planShards([{ name: "w", shape: [2], dtype: "F16" }], 100));
    await writer.write("w", Float32Array.of(65504, -65519));
    await writer.finish();
    expect(await (await openFolder(memoryFolder(output.files))).read("w")).toEqual(Float32Array.of(65504, -65504));
  });
});

describe("mistakes of the caller", () => {
  const start = (): ReturnType<typeof writeSafetensors> =>
    writeSafetensors(memoryOutput(), planShards([{ name: "w", shape: [3, 2], dtype: "F32" }], 100));

  test("finishing before every row is written", async () => {
    const writer = await start();
    await writer.writeRows("w", 1, new Float32Array(4));
    await expect(writer.finish()).rejects.toThrow('tensor "w" [3, 2] cannot take 4 of 6 values in all');
  });

  test("writing a row twice, half a row, a row too many, or an unplanned tensor", async () => {
    const writer = await start();
    await writer.writeRows("w", 1, new Float32Array(2));
    await expect(writer.writeRows("w", 0, new Float32Array(4))).rejects.toThrow("again");
    await expect(writer.writeRows("w", 0, new Float32Array(1))).rejects.toThrow(RangeError);
    await expect(writer.writeRows("w", 2, new Float32Array(4))).rejects.toThrow(RangeError);
    await expect(writer.write("w", new Float32Array(5))).rejects.toThrow(RangeError);
    await expect(writer.write("v", new Float32Array(1))).rejects.toThrow("was not planned");
  });
});
