import { describe, expect, test } from "vitest";
import type { CompError } from "../../src/errors.ts";
import { parseConfig } from "../../src/model/config/parse-config.ts";
import { openModel } from "../../src/model/model.ts";
import { readLayer } from "../../src/model/read-layer.ts";
import { layerIndices } from "../../src/model/spec/layer-index.ts";
import { modelTensors } from "../../src/model/spec/tensor-names.ts";
import { openPath } from "../../src/node/open-path.ts";
import { countingTensors, type MemoryTensor, memoryCheckpoint } from "./memory-checkpoint.ts";

const config = {
  model_type: "llama",
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 10,
};

const shapes = (fields: object = config) =>
  Object.fromEntries(
    modelTensors(parseConfig(fields as Record<string, unknown>)).map(({ name, shape }) => [name, shape]),
  );

async function refusal(tensors: Record<string, MemoryTensor>, fields: object = config): Promise<Partial<CompError>> {
  try {
    await openModel(memoryCheckpoint(tensors, { config: fields }));
  } catch (error) {
    const { kind, message, hint } = error as CompError;
    return { kind, message, hint };
  }
  throw new Error("the checkpoint was accepted");
}

describe("a model from a folder", () => {
  test("gives each layer's weights by role, with their shapes", async () => {
    const checkpoint = await openPath(new URL("../fixtures/tiny/llama", import.meta.url).pathname);
    const model = await openModel(checkpoint);
    const { weights, sizes } = await readLayer(model, layerIndices(model.spec)[1]!);
    expect(sizes).toBe(model.spec.layers[1]);
    expect(Object.keys(weights)).toEqual([
      "attentionNorm",
      "qProj",
      "kProj",
      "vProj",
      "oProj",
      "mlpNorm",
      "gateProj",
      "upProj",
      "downProj",
    ]);
    expect(weights.downProj!.shape).toEqual([32, 80]);
    expect(weights.downProj!.data).toEqual(await checkpoint.read("model.layers.1.mlp.down_proj.weight"));
    expect(await model.readRows("model.embed_tokens.weight", 5, 7)).toEqual(
      (await checkpoint.read("model.embed_tokens.weight")).slice(5 * 32, 7 * 32),
    );
    await checkpoint.close();
  });

  test("has the usual names when it was saved without its head", async () => {
    const tied = { ...config, tie_word_embeddings: true };
    const tensors = countingTensors(shapes(tied));
    const bare = Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name.replace("model.", ""), t]));
    const model = await openModel(memoryCheckpoint(bare, { config: tied }));
    expect([...model.tensors.keys()]).toEqual(Object.keys(tensors));
    expect(model.tensors.get("model.norm.weight")!.name).toBe("model.norm.weight");
    expect(await model.read("model.norm.weight")).toEqual(tensors["model.norm.weight"]!.data);
  });

  test("may bring rotary buffers", async () => {
    const tied = { ...config, tie_word_embeddings: true };
    const extra = { "model.layers.0.self_attn.rotary_emb.inv_freq": [2] };
    const model = await openModel(memoryCheckpoint(countingTensors({ ...shapes(tied), ...extra }), { config: tied }));
    expect(model.tensors.has("lm_head.weight")).toBe(false);
  });

  test("refuses to read what it does not have", async () => {
    const model = await openModel(memoryCheckpoint(countingTensors(shapes()), { config }));
    await expect(model.read("model.layers.7.mlp.up_proj.weight")).rejects.toMatchObject({ kind: "checkpoint" });
  });

  test("refuses weights that are not finite, saying where", async () => {
    const tensors = countingTensors(shapes());
    tensors["model.layers.1.mlp.up_proj.weight"]!.data[8 * 3 + 5] = Number.NaN;
    tensors["model.layers.0.input_layernorm.weight"]!.data[2] = Number.POSITIVE_INFINITY;
    const model = await openModel(memoryCheckpoint(tensors, { config }));
    const [first, second] = layerIndices(model.spec);
    await expect(readLayer(model, second!)).rejects.toMatchObject({
      kind: "numeric",
      message: "model.layers.1.mlp.up_proj.weight holds NaN at [3, 5]",
    });
    await expect(readLayer(model, first!)).rejects.toThrow(
      "model.layers.0.input_layernorm.weight holds Infinity at [2]",
    );
    await expect(model.readRows("model.layers.1.mlp.up_proj.weight", 2, 4)).rejects.toThrow("at [3, 5]");
  });
});

describe("refused is a folder", () => {
  test("without config.json, or with one that is no JSON object", async () => {
    await expect(openModel(memoryCheckpoint({}, {}))).rejects.toThrow("folder has no config.json");
    await expect(openModel(memoryCheckpoint({}, { config: [1] }))).rejects.toThrow("is not a JSON object");
  });

  test("whose tensor has another shape, naming the size in config.json", async () => {
    const tensors = countingTensors({ ...shapes(), "model.layers.1.mlp.down_proj.weight": [8, 16] });
    expect(await refusal(tensors)).toEqual({
      kind: "checkpoint",
      message: "model.layers.1.mlp.down_proj.weight is [8, 16], config.json says intermediate_size 12",
      hint: "is this a mix of two checkpoints?",
    });
    const heads = countingTensors({ ...shapes(), "model.layers.0.self_attn.q_proj.weight": [4, 8] });
    expect((await refusal(heads)).message).toBe(
      "model.layers.0.self_attn.q_proj.weight is [4, 8], config.json says num_attention_heads 2 × head_dim 4",
    );
    const rank = countingTensors({ ...shapes(), "model.norm.weight": [8, 1] });
    expect((await refusal(rank)).message).toBe("model.norm.weight is [8, 1], config.json says it must be [8]");
  });

  test("without one of its tensors", async () => {
    const { "model.layers.1.mlp.up_proj.weight": _, ...rest } = countingTensors(shapes());
    expect(await refusal(rest)).toMatchObject({
      kind: "checkpoint",
      message: 'folder lacks tensor "model.layers.1.mlp.up_proj.weight"',
    });
    const { "lm_head.weight": __, ...headless } = countingTensors(shapes());
    expect((await refusal(headless)).message).toContain("config.json does not say that it is tied to the embedding");
  });

  test("with more layers than config.json says", async () => {
    expect(await refusal(countingTensors(shapes({ ...config, num_hidden_layers: 3 })))).toMatchObject({
      kind: "checkpoint",
      message: expect.stringMatching(/"model\.layers\.2\..*", config\.json says num_hidden_layers 2$/),
    });
  });

  test("with tensors that its family does not have", async () => {
    const tensors = countingTensors({ ...shapes(), "model.layers.0.self_attn.q_norm.weight": [4], extra: [1] });
    expect(await refusal(tensors)).toMatchObject({
      kind: "architecture",
      message: 'folder has tensors that are no part of a llama: "model.layers.0.self_attn.q_norm.weight" and 1 more',
    });
  });
});
