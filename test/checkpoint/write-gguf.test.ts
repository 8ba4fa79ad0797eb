import { describe, expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { decode, encode } from "../../src/checkpoint/dtype.ts";
import { openGguf } from "../../src/checkpoint/gguf.ts";
import { ggufValue } from "../../src/checkpoint/gguf-bytes.ts";
import type { QuantizedDtype } from "../../src/checkpoint/quantize/index.ts";
import { type GgufTensorPlan, planGguf, writeGguf } from "../../src/checkpoint/write-gguf.ts";
import { compError } from "../helpers/errors.ts";
import { memoryOutput, memorySource } from "../helpers/memory.ts";

const METADATA = new Map([["general.architecture", ggufValue("string", "llama")]]);
const TENSORS: readonly GgufTensorPlan[] = [
  { name: "norm", shape: [3], dtype: "F32" },
  { name: "blocks", shape: [2, 32], dtype: "Q8_0" },
  { name: "halves", shape: [2, 2], dtype: "F16" },
];

describe("a GGUF file to be written", () => {
  test("has each tensor at a multiple of 32 bytes, in the order given, and ends on one", () => {
    const { header, tensors, byteLength } = planGguf(METADATA, TENSORS);
    expect(header.length % 32).toBe(0);
    // 12 bytes of F32, 2 × 34 of Q8_0, 8 of F16
    expect(tensors.map((tensor) => [tensor.offset - header.length, tensor.byteLength])).toEqual([
      [0, 12],
      [32, 68],
      [128, 8],
    ]);
    expect(byteLength - header.length).toBe(160);
  });

  test("names no tensor twice", () => {
    expect(() => planGguf(METADATA, [TENSORS[0]!, TENSORS[0]!])).toThrow(RangeError);
  });

  test("is read back as it was written, zeros between the tensors", async () => {
    const output = memoryOutput();
    const plan = planGguf(METADATA, TENSORS);
    const writer = await writeGguf(output, "model.gguf", plan);
    const blocks = Float32Array.from({ length: 64 }, (_, i) => (i % 32) - 16);
    await writer.write("halves", Float32Array.of(1, -2, 0.5, 4));
    await writer.writeRows("blocks", 1, blocks.subarray(32));
    await writer.writeRows("blocks", 0, blocks.subarray(0, 32));
    await writer.write("norm", Float32Array.of(7, 8, 9));
    await writer.finish();
    const bytes = output.files["model.gguf"]!;
    expect(bytes).toHaveLength(plan.byteLength);
    expect(bytes.subarray(plan.header.length + 12, plan.header.length + 32)).toEqual(new Uint8Array(20));
    const checkpoint = await openGguf(memorySource("model.gguf", bytes));
    expect([...checkpoint.metadata]).toEqual([["general.architecture", "llama"]]);
    expect([...checkpoint.tensors.values()].map(({ name, shape, dtype }) => ({ name, shape, dtype }))).toEqual(TENSORS);
    expect(await checkpoint.read("norm")).toEqual(Float32Array.of(7, 8, 9));
    expect(await checkpoint.read("halves")).toEqual(Float32Array.of(1, -2, 0.5, 4));
    // the scale of a block is 16 / 127 in f16: 0.12597…, so that 16 comes back as 127 of them
    expect((await checkpoint.readRows("blocks", 0, 1))[0]).toBeCloseTo(-16, 2);
  });
});

/** A file with one tensor, as its reader gives it back. */
async function writeOne(
  dtype: QuantizedDtype,
  values: Float32Array,
  columns: number,
  importance?: Float32Array,
): Promise<Checkpoint> {
  const output = memoryOutput();
  const plan = planGguf(METADATA, [{ name: "w", shape: [values.length / columns, columns], dtype }]);
  const writer = await writeGguf(output, "model.gguf", plan);
  await writer.write("w", values, importance);
  await writer.finish();
  return openGguf(memorySource("model.gguf", output.files["model.gguf"]!));
}

describe.each<[QuantizedDtype, number]>([
  ["Q8_0", 127],
  ["Q4_0", 8],
  ["Q4_1", 1],
  ["Q5_0", 16],
  ["Q5_1", 1],
  ["Q2_K", 15],
  ["Q3_K", 4 * 32],
  ["Q4_K", 63],
  ["Q5_K", 63],
  ["Q6_K", 32 * 128],
  ["IQ4_NL", 113],
  ["IQ4_XS", 113 * 32],
])("%s holds values up to %d times those of f16", (dtype, levels) => {
  const withOne = (value: number): Float32Array => new Float32Array(256).fill(value, 40, 41);

  test.each([1, -1])("of sign %d", async (sign) => {
    const value = sign * levels * 65000;
    const back = await (await writeOne(dtype, withOne(value), 256)).read("w");
    expect(Math.abs(back[40]! / value - 1)).toBeLessThan(0.05);
  });

  test("and refuses what is larger", async () => {
    const error = await compError(writeOne(dtype, withOne(-levels * 65520), 256));
    expect([error.kind, error.hint]).toEqual(["numeric", "write with --dtype f32"]);
    expect(error.message).toContain(`which ${dtype} cannot hold`);
  });
});

test("importance goes along with every row, however many are encoded at a time", async () => {
  const [columns, rows] = [768, 2800];
  const importance = Float32Array.from({ length: columns }, (_, i) => 1 + (i % 7));
  const values = Float32Array.from({ length: rows * columns }, (_, i) => ((i * 40503) % 65536) / 65536 - 0.5);
  const back = await (await writeOne("Q4_0", values, columns, importance)).read("w");
  const first = values.subarray(0, columns);
  const last = values.subarray(-columns);
  expect(back.subarray(0, columns)).toEqual(decode("Q4_0", encode("Q4_0", first, importance)));
  expect(back.subarray(-columns)).toEqual(decode("Q4_0", encode("Q4_0", last, importance)));
});

describe("a value of GGUF metadata", () => {
  test("has the number of its type first", () => {
    expect(ggufValue("u32", 258)).toEqual(Uint8Array.of(4, 0, 0, 0, 2, 1, 0, 0));
    expect(ggufValue("bool", true)).toEqual(Uint8Array.of(7, 0, 0, 0, 1));
    expect(ggufValue("string", "é")).toEqual(Uint8Array.of(8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0xa9));
  });

  test("is an array with its elements' type and their number when it is a list", () => {
    expect(ggufValue("i16", [1, -1])).toEqual(
      Uint8Array.of(9, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0xff, 0xff),
    );
  });

  test("comes back from a file byte for byte", async () => {
    const tokens = ggufValue("string", ["a", "", "ü"]);
    const { header } = planGguf(new Map([...METADATA, ["tokens", tokens]]), []);
    const checkpoint = await openGguf(memorySource("x", header));
    expect(checkpoint.metadata.get("tokens")).toEqual(["a", "", "ü"]);
    expect(await checkpoint.readMetadata("tokens")).toEqual(tokens);
  });
});
