import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { layoutFor, layoutOf, storedSpec } from "../../../src/model/gguf/layout.ts";
import type { DecoderSpec } from "../../../src/model/spec/decoder-spec.ts";
import { type LayerSizes, resized, sizesOf } from "../../../src/model/spec/parts.ts";
import { countingTensors, memoryCheckpoint } from "../memory-checkpoint.ts";

const specOf = (family: string, more: object = {}): DecoderSpec =>
  parseConfig({
    model_type: family,
    hidden_size: 16,
    intermediate_size: 24,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    vocab_size: 10,
    ...more,
  });
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
    ["a bias of o alone", ["blk.0.attn_output.bias"], "llama"],
  ])("of architecture deci with %s", (_, names, modelType) => {
    const layout = layoutOf(file("deci", ...names));
    expect(layout).toMatchObject({ interleavedRotary: true, perLayer: true });
    expect(layout.family.modelType).toBe(modelType);
  });

  test("of another architecture is refused with the list of known ones", () => {
    expect(() => layoutOf(file("mamba"))).toThrow(
      expect.objectContaining({ kind: "architecture", hint: "supported: llama, qwen2, gemma3, deci" }),
    );
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

  test.each<[string, DecoderSpec, string]>([
    ["a Gemma 3 of uneven layers", withLayers(specOf("gemma3_text"), { intermediateSize: 8 }), "differ in width"],
    ["another activation", specOf("llama", { hidden_act: "gelu" }), "llama.cpp's llama does not know the activation"],
    [
      "Llama 3's rotary scaling in a Qwen 2",
      specOf("qwen2", {
        rope_scaling: {
          rope_type: "llama3",
          factor: 8,
          low_freq_factor: 1,
          high_freq_factor: 4,
          original_max_position_embeddings: 8192,
        },
      }),
      "llama.cpp's qwen2 does not know Llama 3's rotary scaling",
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
