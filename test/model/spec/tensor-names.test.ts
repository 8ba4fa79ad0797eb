import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { headTensor, layerTensors, modelTensors } from "../../../src/model/spec/tensor-names.ts";
import { openPath } from "../../../src/node/open-path.ts";

const path = (name: string): string => new URL(`../../fixtures/tiny/${name}`, import.meta.url).pathname;
const specOf = (name: string) => parseConfig(JSON.parse(readFileSync(`${path(name)}/config.json`, "utf8")));

const FIXTURES = [
  "llama",
  "llama-tied",
  "llama-bias",
  "llama-head-dim",
  "llama-gelu",
  "llama3-rope",
  "linear-rope",
  "mistral",
  "qwen2",
];

describe.each(FIXTURES)("the tensors expected of %s", (name) => {
  test("are exactly those that transformers wrote, with their shapes", async () => {
    const checkpoint = await openPath(path(name));
    const written = [...checkpoint.tensors.values()].map((tensor) => [tensor.name, tensor.shape]);
    await checkpoint.close();
    const expected = modelTensors(specOf(name)).map((tensor) => [tensor.name, tensor.shape]);
    expect(Object.fromEntries(expected)).toEqual(Object.fromEntries(written));
    expect(expected).toHaveLength(written.length);
  });
});

/** The parts of Gemma 3 at tiny sizes. */
const gemma3 = parseConfig({
  model_type: "gemma3_text",
  hidden_size: 32,
  intermediate_size: 80,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  vocab_size: 96,
  sliding_window: 8,
});

test("a layer with sandwich norms names each norm by what it does", () => {
  const norms = layerTensors(gemma3, 1).filter(({ part }) => part === "norms");
  expect(norms.map(({ role, name, ggufName }) => [role, name, ggufName])).toEqual([
    ["attentionNorm", "model.layers.1.input_layernorm.weight", "blk.1.attn_norm.weight"],
    ["qNorm", "model.layers.1.self_attn.q_norm.weight", "blk.1.attn_q_norm.weight"],
    ["kNorm", "model.layers.1.self_attn.k_norm.weight", "blk.1.attn_k_norm.weight"],
    ["attentionOutputNorm", "model.layers.1.post_attention_layernorm.weight", "blk.1.post_attention_norm.weight"],
    ["mlpNorm", "model.layers.1.pre_feedforward_layernorm.weight", "blk.1.ffn_norm.weight"],
    ["mlpOutputNorm", "model.layers.1.post_feedforward_layernorm.weight", "blk.1.post_ffw_norm.weight"],
  ]);
});

test("in a Llama the norm before the MLP is called post_attention_layernorm", () => {
  const norm = layerTensors(specOf("llama"), 0).find(({ role }) => role === "mlpNorm")!;
  expect(norm).toMatchObject({
    name: "model.layers.0.post_attention_layernorm.weight",
    ggufName: "blk.0.ffn_norm.weight",
  });
});

test("the head is lm_head, or the embedding where the two are tied", () => {
  expect(headTensor(specOf("llama")).name).toBe("lm_head.weight");
  expect(headTensor(specOf("llama-tied")).name).toBe("model.embed_tokens.weight");
});

test("a sublayer of width 0 has no tensors", () => {
  const spec = specOf("llama");
  const without = (change: object) => ({ ...spec, layers: [{ ...spec.layers[0]!, ...change }] });
  expect(layerTensors(without({ intermediateSize: 0 }), 0).map(({ role }) => role)).toEqual([
    "attentionNorm",
    "qProj",
    "kProj",
    "vProj",
    "oProj",
  ]);
  expect(layerTensors(without({ numAttentionHeads: 0, numKeyValueHeads: 0 }), 0).map(({ role }) => role)).toEqual([
    "mlpNorm",
    "gateProj",
    "upProj",
    "downProj",
  ]);
});
