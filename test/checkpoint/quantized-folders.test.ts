// Folders of quantized weights: those with scales against values of torch and transformers, made by test/fixtures/make-scaled.py.
import { describe, expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { rowCountOf, rowSizeOf } from "../../src/checkpoint/checkpoint.ts";
import { openFolder } from "../../src/checkpoint/open-checkpoint.ts";
import { compError } from "../helpers/errors.ts";
import { readJsonFixture } from "../helpers/fixtures.ts";
import { memoryFolder } from "../helpers/memory.ts";
import { safetensorsBytes } from "../helpers/safetensors-bytes.ts";

const fixture =
  readJsonFixture<Record<string, { config: object; file: string; values: Record<string, string> }>>("scaled.json");
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));

const openWith = (quantization: unknown, weights: Uint8Array): Promise<Checkpoint> =>
  openFolder(
    memoryFolder({
      "config.json": JSON.stringify({ quantization_config: quantization }),
      "model.safetensors": weights,
    }),
  );

/** A file of tensors by name, zeros. */
const zeros = (tensors: Record<string, [dtype: string, shape: number[], bytes: number]>): Uint8Array => {
  let end = 0;
  const header = Object.entries(tensors).map(([name, [dtype, shape, bytes]]) => {
    end += bytes;
    return [name, { dtype, shape, data_offsets: [end - bytes, end] }];
  });
  return safetensorsBytes(Object.fromEntries(header), end);
};

test.each(Object.entries(fixture))("%s: every tensor has the values of torch", async (_, { config, file, values }) => {
  const checkpoint = await openFolder(
    memoryFolder({ "config.json": JSON.stringify(config), "model.safetensors": bytesOf(file) }),
  );
  expect([...checkpoint.tensors.keys()].sort()).toEqual(Object.keys(values).sort());
  for (const [name, expected] of Object.entries(values)) {
    const all = new Float32Array(bytesOf(expected).buffer);
    expect(await checkpoint.read(name)).toEqual(all);
    const { shape } = checkpoint.tensors.get(name)!;
    expect(await checkpoint.readRows(name, 1, rowCountOf(shape))).toEqual(all.slice(rowSizeOf(shape)));
  }
});

test("a vector with one scale is read as well", async () => {
  const weights = zeros({ w: ["F8_E4M3", [3], 3], w_scale_inv: ["F32", [1], 4] });
  weights.set([0x38, 0xb8, 0x40], weights.length - 7); // 1, -1, 2
  weights.set(new Uint8Array(Float32Array.of(0.5).buffer), weights.length - 4);
  const checkpoint = await openWith({ quant_method: "fp8" }, weights);
  expect(await checkpoint.read("w")).toEqual(Float32Array.of(0.5, -0.5, 1));
});

test("scales may lie in another file than their weights", async () => {
  const checkpoint = await openFolder(
    memoryFolder({
      "config.json": '{"quantization_config": {"quant_method": "fp8", "weight_block_size": [2, 2]}}',
      "model.safetensors.index.json": JSON.stringify({
        weight_map: { w: "1.safetensors", w_scale_inv: "2.safetensors" },
      }),
      "1.safetensors": zeros({ w: ["F8_E4M3", [4, 4], 16] }),
      "2.safetensors": zeros({ w_scale_inv: ["F32", [2, 2], 16] }),
    }),
  );
  expect(checkpoint.tensors.get("w")).toMatchObject({ dtype: "F8_E4M3", shape: [4, 4], byteLength: 16 });
  expect(await checkpoint.read("w")).toEqual(new Float32Array(16));
});

const FP8 = { quant_method: "fp8", weight_block_size: [4, 4] };

describe("scales", () => {
  test.each<[string, Record<string, [string, number[], number]>, string]>([
    ["that are missing", { w: ["F8_E4M3", [8, 8], 64] }, 'tensor "w" has no scales "w_scale_inv"'],
    [
      "of other blocks",
      { w: ["F8_E4M3", [8, 8], 64], w_scale_inv: ["F32", [2, 3], 24] },
      'the scales "w_scale_inv" [2, 3] do not fit "w" [8, 8]',
    ],
    [
      "of a stack whose matrices begin within a block",
      { w: ["F8_E4M3", [2, 6, 8], 96], w_scale_inv: ["F32", [2, 2, 2], 32] },
      "do not fit",
    ],
    ["without weights", { w_scale_inv: ["F8_E8M0", [8], 8] }, 'tensor "w_scale_inv" is of type F8_E8M0'],
  ])("%s are refused", async (_, tensors, message) => {
    const error = await compError(openWith(FP8, zeros(tensors)));
    expect([error.kind, error.message]).toEqual(["checkpoint", expect.stringContaining(message)]);
  });

  test("of 8-bit floats that no configuration speaks of are not guessed", async () => {
    const weights = zeros({ w: ["F8_E4M3", [8, 8], 64], w_scale_inv: ["F32", [2, 2], 16] });
    const error = await compError(openWith(undefined, weights));
    expect(error.message).toContain('tensor "w" is of type F8_E4M3, which is not supported');
  });
});

describe("other quantizers are refused by name, with what to do", () => {
  const MADE_OF = "give the folder that was quantized, or a GGUF file of the model";
  test.each<[string, object, string, string]>([
    ["GPTQ", { quant_method: "gptq", bits: 4 }, "quantized by GPTQ, which is not read", MADE_OF],
    ["AWQ", { quant_method: "awq", version: "gemm" }, "quantized by AWQ, which is not read", MADE_OF],
    ["bitsandbytes", { quant_method: "bitsandbytes" }, "quantized by bitsandbytes,", "model.dequantize()"],
    ["an older bitsandbytes", { load_in_4bit: true }, "quantized by bitsandbytes,", "model.dequantize()"],
    ["HQQ", { quant_method: "hqq" }, "quantized by HQQ, which is not read", MADE_OF],
    [
      "compressed-tensors",
      { quant_method: "compressed-tensors", format: "pack-quantized" },
      "quantized by compressed-tensors as pack-quantized, which is not read",
      MADE_OF,
    ],
    ["one that nobody knows", { quant_method: "newest" }, "quantized by newest, which is not read", MADE_OF],
    ["one with the name of another thing", { quant_method: "constructor" }, "quantized by constructor,", MADE_OF],
    ["one without a name", {}, "quantized by an unknown method", MADE_OF],
  ])("%s", async (_, quantization, message, hint) => {
    const error = await compError(openWith(quantization, zeros({ "a.qweight": ["I32", [2, 2], 16] })));
    expect([error.kind, error.message, error.hint]).toEqual([
      "checkpoint",
      expect.stringContaining(message),
      expect.stringContaining(hint),
    ]);
  });
});
