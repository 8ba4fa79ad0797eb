import { describe, expect, test } from "vitest";
import { codeNeeded, layersOption, omissionOf, outputForm, weightBytes } from "../../src/method/output-format.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { openPath } from "../../src/node/open-path.ts";
import { tinyPath } from "../helpers/fixtures.ts";

async function tiny(family: string): Promise<Model> {
  const checkpoint = await openPath(tinyPath(family));
  await checkpoint.close();
  return openModel(checkpoint);
}

const [llama, gemma3] = [await tiny("llama"), await tiny("gemma3")];
const file = { format: "gguf", dtype: "F16" } as const;
const folder = { format: "safetensors", dtype: "F16" } as const;

describe("the element type", () => {
  test("is the source's unless another is asked for", () => {
    expect(outputForm(llama, { dtype: "auto" }, "gguf")).toEqual({ format: "gguf", dtype: "F32" });
    expect(outputForm(llama, { dtype: "bf16" }, "safetensors")).toEqual({ format: "safetensors", dtype: "BF16" });
  });

  test("is F16 where the source is quantized", () => {
    const tensors = new Map([...llama.tensors].map(([name, info]) => [name, { ...info, dtype: "Q4_K" as const }]));
    expect(outputForm({ ...llama, tensors }, { dtype: "auto" }, "gguf").dtype).toBe("F16");
  });

  test("can be Q8_0 in a GGUF file only", () => {
    expect(outputForm(llama, { dtype: "q8_0" }, "gguf").dtype).toBe("Q8_0");
    expect(() => outputForm(llama, { dtype: "q8_0" }, "safetensors")).toThrow("--dtype q8_0 is for GGUF files");
  });
});

test("in GGUF the vectors take four bytes an element, in a folder all take the same", () => {
  const elements = [...llama.tensors.values()].map(({ shape }) => [shape.length, shape.reduce((a, b) => a * b, 1)]);
  const count = (rank: number): number =>
    elements.filter(([length]) => length === rank).reduce((sum, [, size]) => sum + size!, 0);
  expect(weightBytes(llama.spec, folder)).toBe(2 * (count(2) + count(1)));
  expect(weightBytes(llama.spec, file)).toBe(2 * count(2) + 4 * count(1));
});

describe("which layers go", () => {
  test("is free, but for a Gemma 3 in GGUF, which keeps all by default", () => {
    expect(layersOption(llama.spec, { layers: "auto" }, file)).toBe("auto");
    expect(layersOption(gemma3.spec, { layers: "auto" }, folder)).toBe("auto");
    expect(layersOption(gemma3.spec, { layers: "auto" }, file)).toBe(0);
    expect(layersOption(gemma3.spec, { layers: [0, 6] }, file)).toEqual([0, 6]);
  });

  test("cannot be left to calibration there", () => {
    expect(() => layersOption(gemma3.spec, { layers: 2 }, file)).toThrow("--layers 2 leaves the choice open");
  });
});

describe("what a GGUF file leaves out", () => {
  test("is the attention window, but for a Gemma 3", async () => {
    const { spec } = await tiny("mistral");
    expect(spec.layers[0]!.slidingWindow).toBeLessThan(spec.maxPositionEmbeddings);
    expect(omissionOf(spec, file)).toContain("llama.cpp runs a mistral without its attention window");
    expect(omissionOf(spec, folder)).toBeUndefined();
    expect([llama, gemma3].map((model) => omissionOf(model.spec, file))).toEqual([undefined, undefined]);
  });
});

test("a folder needs code for heads that do not divide the hidden size, and for layers that differ", () => {
  const withHeads = (numAttentionHeads: number, only?: number) => ({
    ...llama.spec,
    layers: llama.spec.layers.map((layer, index) =>
      only === undefined || only === index ? { ...layer, numAttentionHeads, numKeyValueHeads: 1 } : layer,
    ),
  });
  expect(codeNeeded(llama.spec, folder)).toBeUndefined();
  expect(codeNeeded(withHeads(2), folder)).toBeUndefined();
  expect(codeNeeded(withHeads(3), folder)).toContain("3 heads do not divide the hidden size 32: transformers loads");
  expect(codeNeeded(withHeads(2, 1), folder)).toContain("layers differ in size");
  expect(codeNeeded(withHeads(3), file)).toBeUndefined();
});
