import { describe, expect, test } from "vitest";
import {
  checkHoldable,
  codeNeeded,
  holdableLayers,
  holdableWidths,
  omittedBy,
  outputFormat,
} from "../../src/method/output-format.ts";
import { weightBytes } from "../../src/method/output-types.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { layerIndices } from "../../src/model/spec/layer-index.ts";
import { attentionOf, resized } from "../../src/model/spec/parts.ts";
import { openPath } from "../../src/node/open-path.ts";
import { tinyPath } from "../helpers/fixtures.ts";

async function tiny(family: string): Promise<Model> {
  const checkpoint = await openPath(tinyPath(family));
  await checkpoint.close();
  return openModel(checkpoint);
}

const [llama, gemma3, smollm3] = [await tiny("llama"), await tiny("gemma3"), await tiny("smollm3")];
const file = { format: "gguf", dtype: "f16", weighted: false } as const;
const folder = { format: "safetensors", dtype: "F16" } as const;

describe("the element type", () => {
  test("is each tensor's own unless one is asked for", () => {
    expect(outputFormat({ dtype: "auto", importance: "auto" }, "gguf")).toEqual({
      format: "gguf",
      dtype: "same",
      weighted: false,
    });
    expect(outputFormat({ dtype: "auto", importance: "auto" }, "safetensors")).toEqual({
      format: "safetensors",
      dtype: "same",
    });
    expect(outputFormat({ dtype: "bf16", importance: "auto" }, "safetensors")).toEqual({
      format: "safetensors",
      dtype: "BF16",
    });
  });

  test("can be Q8_0 in a GGUF file only", () => {
    expect(outputFormat({ dtype: "q8_0", importance: "auto" }, "gguf").dtype).toBe("q8_0");
    expect(() => outputFormat({ dtype: "q8_0", importance: "auto" }, "safetensors")).toThrow(
      "--dtype q8_0 is for GGUF files",
    );
  });
});

test("in GGUF the vectors take four bytes an element, in a folder all take the same", () => {
  const elements = [...llama.tensors.values()].map(({ shape }) => [shape.length, shape.reduce((a, b) => a * b, 1)]);
  const count = (rank: number): number =>
    elements.filter(([length]) => length === rank).reduce((sum, [, size]) => sum + size!, 0);
  const whole = { spec: llama.spec, keptLayers: layerIndices(llama.spec) };
  expect(weightBytes(llama, whole, folder)).toBe(2 * (count(2) + count(1)));
  expect(weightBytes(llama, whole, file)).toBe(2 * count(2) + 4 * count(1));
});

describe("which layers go", () => {
  test("is free, but for a SmolLM3 in GGUF, which keeps all by default", () => {
    for (const { spec } of [llama, gemma3]) expect(holdableLayers(spec, "auto", file)).toBe("auto");
    expect(holdableLayers(smollm3.spec, "auto", folder)).toBe("auto");
    expect(holdableLayers(smollm3.spec, "auto", file)).toBe(0);
    expect(holdableLayers(smollm3.spec, 0, file)).toBe(0);
    expect(holdableLayers(smollm3.spec, [0, 2], file)).toEqual([0, 2]);
  });

  test.each([2, "half", "only"] as const)("cannot be left to calibration there: %s", (layers) => {
    expect(() => holdableLayers(smollm3.spec, layers, file)).toThrow(
      `--layers ${layers} leaves the choice open; in GGUF smollm3 needs a regular order`,
    );
  });
});

describe("widths that are left open", () => {
  const open = { widths: "auto", allocation: "even" } as const;
  const equal = { widths: "equal", allocation: "even" };
  const own = { widths: "per-layer", allocation: "loss" };

  test("are per layer in a GGUF file that stock llama.cpp loads, else equal", async () => {
    const [qwen2, mistral] = [await tiny("qwen2"), await tiny("mistral")];
    for (const { spec } of [llama, qwen2, mistral]) expect(holdableWidths(spec, open, file)).toEqual(own);
    expect(holdableWidths(gemma3.spec, open, file)).toEqual(equal);
    for (const { spec } of [llama, gemma3]) expect(holdableWidths(spec, open, folder)).toEqual(equal);
  });

  test("are as they were asked for otherwise", () => {
    const asked = { widths: "per-layer", allocation: "global" } as const;
    expect(holdableWidths(gemma3.spec, asked, file)).toEqual(asked);
    expect(holdableWidths(llama.spec, { widths: "equal", allocation: "even" }, file)).toEqual(equal);
  });
});

describe("what a GGUF file leaves out", () => {
  test("is the attention window, but for a Gemma 3", async () => {
    const { spec } = await tiny("mistral");
    expect(attentionOf(spec.layers[0]!)!.slidingWindow).toBeLessThan(spec.maxPositionEmbeddings);
    expect(omittedBy(spec, file)).toContain("llama.cpp runs a mistral without its attention window");
    expect(omittedBy(spec, folder)).toBeUndefined();
    expect([llama, gemma3].map((model) => omittedBy(model.spec, file))).toEqual([undefined, undefined]);
  });
});

test("a folder needs code for heads that do not divide the hidden size, and for layers that differ", () => {
  const withHeads = (numAttentionHeads: number, only?: number) => ({
    ...llama.spec,
    layers: llama.spec.layers.map((layer, index) =>
      only === undefined || only === index ? resized(layer, { numAttentionHeads, numKeyValueHeads: 1 }) : layer,
    ),
  });
  expect(codeNeeded(llama.spec, folder)).toBeUndefined();
  expect(codeNeeded(withHeads(2), folder)).toBeUndefined();
  expect(codeNeeded(withHeads(3), folder)).toContain("3 heads do not divide the hidden size 32: transformers loads");
  expect(codeNeeded(withHeads(2, 1), folder)).toContain("layers differ in size");
  expect(codeNeeded(withHeads(3), file)).toBeUndefined();
});

describe("a text part", () => {
  const refusal = (message: string, hint: string) => ({
    kind: "architecture",
    message: expect.stringContaining(message),
    hint,
  });

  test("stays in the model around it: no GGUF file", async () => {
    const whole = await tiny("gemma3-vlm");
    const why = refusal("more around it, for which GGUF has no form as a whole", "write a folder");
    await expect(checkHoldable(whole, whole.spec, file, false)).rejects.toMatchObject(why);
  });

  test("may have layers that differ where a class can be made of the one around it", async () => {
    const whole = await tiny("gemma3-vlm");
    await checkHoldable(whole, whole.spec, folder, true);
    const config = { ...whole.surroundings!.config, architectures: ["MineForVision"] };
    const other = { ...whole, surroundings: { ...whole.surroundings!, config } };
    await checkHoldable(other, other.spec, folder, false);
    const why = refusal("whose class wants layers of one size", "cut all layers alike: --widths equal");
    await expect(checkHoldable(other, other.spec, folder, true)).rejects.toMatchObject(why);
  });

  test("with code around it that may not know the sizes is refused where they differ", async () => {
    const whole = await tiny("gemma3-vlm");
    const config = { ...whole.surroundings!.config, auto_map: { AutoModel: "owner/name--modeling_mine.M" } };
    const other = { ...whole, surroundings: { ...whole.surroundings!, config } };
    await checkHoldable(other, other.spec, folder, false);
    const hint =
      "remove auto_map from config.json if Gemma3ForConditionalGeneration of transformers loads the model too";
    const why = refusal("which need not load layers of these sizes", hint);
    await expect(checkHoldable(other, other.spec, folder, true)).rejects.toMatchObject(why);
  });
});
