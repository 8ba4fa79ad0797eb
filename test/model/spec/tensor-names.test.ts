import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { familyOf } from "../../../src/model/families/index.ts";
import { ggufStorage } from "../../../src/model/gguf/names.ts";
import { resized } from "../../../src/model/spec/parts.ts";
import { headTensor, layerTensors } from "../../../src/model/spec/tensor-names.ts";
import {
  LLAMA_STORAGE,
  placesByName,
  type StorageRule,
  storedTensors,
} from "../../../src/model/storage/stored-tensors.ts";
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
    const expected = storedTensors(specOf(name), LLAMA_STORAGE).map((tensor) => [tensor.name, tensor.shape]);
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
  const { storage } = familyOf({ model_type: "gemma3_text" });
  const namesIn = (rule: StorageRule) => {
    const stored = placesByName(storedTensors(gemma3, rule));
    return norms.map(({ name }) => stored.get(name)![0]!.stored.name);
  };
  expect(norms.map(({ role }) => role)).toEqual([
    "attentionNorm",
    "qNorm",
    "kNorm",
    "attentionOutputNorm",
    "mlpNorm",
    "mlpOutputNorm",
  ]);
  expect(namesIn(storage)).toEqual([
    "model.layers.1.input_layernorm.weight",
    "model.layers.1.self_attn.q_norm.weight",
    "model.layers.1.self_attn.k_norm.weight",
    "model.layers.1.post_attention_layernorm.weight",
    "model.layers.1.pre_feedforward_layernorm.weight",
    "model.layers.1.post_feedforward_layernorm.weight",
  ]);
  expect(namesIn(ggufStorage({ interleavedRotary: false }))).toEqual([
    "blk.1.attn_norm.weight",
    "blk.1.attn_q_norm.weight",
    "blk.1.attn_k_norm.weight",
    "blk.1.post_attention_norm.weight",
    "blk.1.ffn_norm.weight",
    "blk.1.post_ffw_norm.weight",
  ]);
});

test("the head is lm_head, or the embedding where the two are tied", () => {
  expect(headTensor(specOf("llama")).name).toBe("lm_head.weight");
  expect(headTensor(specOf("llama-tied")).name).toBe("model.embed_tokens.weight");
});

test("a sublayer of width 0 has no tensors", () => {
  const spec = specOf("llama");
  const without = (change: object) => ({ ...spec, layers: [resized(spec.layers[0]!, change)] });
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
