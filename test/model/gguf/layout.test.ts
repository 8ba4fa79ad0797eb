import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { layoutFor, layoutOf, storedSpec, whyHeadsStayInGguf } from "../../../src/model/gguf/layout.ts";
import type { DecoderSpec } from "../../../src/model/spec/decoder-spec.ts";
import { type LayerSizes, resized, sizesOf } from "../../../src/model/spec/parts.ts";
import { countingTensors, memoryCheckpoint } from "../memory-checkpoint.ts";
import { SMALL_LLAMA } from "../small-llama.ts";

const specOf = (family: string, more: object = {}): DecoderSpec =>
  parseConfig({ ...SMALL_LLAMA, model_type: family, ...more });
const LLAMA3 = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};
const withLayers = (spec: DecoderSpec, ...changes: Partial<LayerSizes>[]): DecoderSpec => ({
  ...spec,
  layers: spec.layers.map((layer, index) => resized(layer, changes[index] ?? {})),
});
const file = (architecture: string, ...names: string[]) =>
  memoryCheckpoint(countingTensors(Object.fromEntries(names.map((name) => [name, [1]]))), {
    metadata: { "general.architecture": architecture },
  });

describe("a GGUF file", () => {
  test.each([
    ["llama", "llama", true],
    ["qwen2", "qwen2", false],
    ["gemma3", "gemma3_text", false],
  ])("of architecture %s is a %s", (architecture, modelType, interleavedRotary) => {
    const layout = layoutOf(file(architecture));
    expect(layout).toMatchObject({ architecture, interleavedRotary, perLayer: false });
    expect(layout.family.modelType).toBe(modelType);
  });

  test.each([
    ["no biases", [], "llama"],
    ["biases of q, k and v", ["blk.0.attn_q.bias"], "qwen2"],
    ["biases of all four", ["blk.0.attn_q.bias", "blk.0.attn_output.bias"], "llama"],
    ["a bias of o alone", ["blk.0.attn_output.bias"], "seed_oss"],
    ["biases of q, k, v and the MLP", ["blk.0.attn_q.bias", "blk.0.ffn_up.bias"], "seed_oss"],
  ])("of architecture deci with %s", (_, names, modelType) => {
    const layout = layoutOf(file("deci", ...names));
    expect(layout).toMatchObject({ interleavedRotary: true, perLayer: true });
    expect(layout.family.modelType).toBe(modelType);
  });

  test("of another architecture is refused with the list of known ones", () => {
    expect(() => layoutOf(file("mamba"))).toThrow(
      expect.objectContaining({
        kind: "architecture",
        hint: expect.stringMatching(/^supported: llama, .*gemma3, .*deci$/),
      }),
    );
  });
});

test("an OLMo 3 is an olmo2 with windows", () => {
  const withWindow = (window: number) =>
    layoutOf(
      memoryCheckpoint({}, { metadata: { "general.architecture": "olmo2", "olmo2.attention.sliding_window": window } }),
    );
  expect(withWindow(4096).family.modelType).toBe("olmo3");
  expect(withWindow(0).family.modelType).toBe("olmo2");
  expect(layoutOf(file("olmo2")).family.modelType).toBe("olmo2");
});

describe("heads of a model in a GGUF file", () => {
  test.each([
    ["llama", undefined],
    ["qwen2", undefined], // as deci
    ["opt", undefined], // it has no form at all
    ["starcoder2", "llama.cpp's starcoder2 wants heads that together are as wide as the hidden states"],
  ])("of a %s: %s", (family, why) => {
    const spec = specOf(family, { ffn_dim: 24, num_key_value_heads: family === "opt" ? undefined : 1 });
    expect(whyHeadsStayInGguf(spec)).toBe(why);
  });
});

describe("a model becomes a GGUF file", () => {
  test("of its family's architecture where the layers are alike, else of deci", () => {
    const spec = specOf("qwen2");
    expect(layoutFor(spec)).toMatchObject({ architecture: "qwen2", interleavedRotary: false, perLayer: false });
    const uneven = layoutFor(withLayers(spec, { intermediateSize: 8 }));
    expect(uneven).toMatchObject({ architecture: "deci", interleavedRotary: true, perLayer: true });
    expect(layoutFor(spec, true).architecture).toBe("deci");
  });

  test("of deci where the family's own does not know what the model has", () => {
    expect(layoutFor(specOf("qwen2", { rope_scaling: LLAMA3 })).architecture).toBe("deci");
    const fewer = { numAttentionHeads: 1 };
    expect(layoutFor(withLayers(specOf("qwen2"), fewer, fewer)).architecture).toBe("deci");
  });

  test.each<[string, DecoderSpec, string]>([
    ["a Gemma 3 of uneven layers", withLayers(specOf("gemma3_text"), { intermediateSize: 8 }), "differ in width"],
    ["another activation", specOf("llama", { hidden_act: "gelu" }), "llama.cpp's llama does not know the activation"],
    [
      "Llama 3's rotary scaling in a Qwen 3",
      specOf("qwen3", { rope_scaling: LLAMA3 }),
      "llama.cpp's qwen3 does not know Llama 3's rotary scaling",
    ],
  ])("unless it has %s", (_, spec, message) => expect(() => layoutFor(spec)).toThrow(message));

  test("of deci with the parts that llama.cpp cannot do without", () => {
    const none = { numAttentionHeads: 0, numKeyValueHeads: 0 };
    const spec = withLayers(specOf("llama"), { ...none, intermediateSize: 0 }, none);
    const { layers } = storedSpec(spec, layoutFor(spec));
    // heads in the first layer only, an MLP of 32 zero neurons in all
    expect(sizesOf(layers[0]!)).toEqual({ numAttentionHeads: 1, numKeyValueHeads: 1, intermediateSize: 32 });
    expect(sizesOf(layers[1]!)).toEqual({ ...none, intermediateSize: 24 });
  });
});
