import { expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { countParameters } from "../../../src/model/spec/parameters.ts";

const smollm2 = {
  model_type: "llama",
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  vocab_size: 49152,
  tie_word_embeddings: true,
};

test("SmolLM2-135M has the 134,515,008 parameters that transformers counts, the tied head once", () => {
  const counts = countParameters(parseConfig(smollm2));
  expect(counts.total).toBe(134_515_008);
  expect(counts.parts).toEqual({
    embeddings: 49152 * 576,
    attention: 30 * (2 * 576 * 576 + 2 * 192 * 576),
    mlp: 30 * 3 * 1536 * 576,
    norms: 61 * 576,
    head: 0,
  });
  expect(counts.decoderMatrices).toBe(106_168_320);
});

test("an untied head counts for itself", () => {
  const counts = countParameters(parseConfig({ ...smollm2, tie_word_embeddings: false }));
  expect(counts.parts.head).toBe(49152 * 576);
  expect(counts.total).toBe(134_515_008 + 49152 * 576);
});

test("biases belong to their part and are no matrices", () => {
  const plain = countParameters(parseConfig(smollm2));
  const biased = countParameters(parseConfig({ ...smollm2, attention_bias: true, mlp_bias: true }));
  expect(biased.layers[7]!.attention - plain.layers[7]!.attention).toBe(576 + 192 + 192 + 576);
  expect(biased.layers[7]!.mlp - plain.layers[7]!.mlp).toBe(1536 + 1536 + 576);
  expect(biased.decoderMatrices).toBe(plain.decoderMatrices);
});

test("a layer's parts add up to its total, and layers with the rest to the model's", () => {
  const { layers, parts, total } = countParameters(parseConfig(smollm2));
  const [layer] = layers;
  expect(layer!.attention + layer!.mlp + layer!.norms).toBe(layer!.total);
  const inLayers = layers.reduce((sum, { total }) => sum + total, 0);
  expect(inLayers + parts.embeddings + 576).toBe(total);
});
