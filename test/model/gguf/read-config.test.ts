import { describe, expect, test } from "vitest";
import type { Checkpoint, MetadataValue } from "../../../src/checkpoint/checkpoint.ts";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { ggufStorage } from "../../../src/model/gguf/names.ts";
import { type Model, openModel } from "../../../src/model/model.ts";
import { attentionOf } from "../../../src/model/spec/parts.ts";
import { storedTensors } from "../../../src/model/storage/stored-tensors.ts";
import { countingTensors, type MemoryTensor, memoryCheckpoint } from "../memory-checkpoint.ts";
import { SMALL_LLAMA } from "../small-llama.ts";

/** Keys as llama.cpp's convert_hf_to_gguf.py writes them. */
function header(architecture: string, more: Record<string, MetadataValue> = {}): Record<string, MetadataValue> {
  const own = {
    block_count: 2,
    context_length: 128,
    embedding_length: 16,
    feed_forward_length: 24,
    "attention.head_count": 2,
    "attention.head_count_kv": 1,
    "attention.layer_norm_rms_epsilon": Math.fround(1e-5),
    "rope.freq_base": 10000,
    ...more,
  };
  return {
    "general.architecture": architecture,
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    ...Object.fromEntries(Object.entries(own).map(([key, value]) => [`${architecture}.${key}`, value])),
  };
}

const llama = SMALL_LLAMA;

const ggufShapes = (config: Record<string, unknown>): Record<string, readonly number[]> =>
  Object.fromEntries(
    storedTensors(parseConfig(config), ggufStorage({ interleavedRotary: false })).map(({ name, shape }) => [
      name,
      shape,
    ]),
  );

function gguf(
  config: Record<string, unknown>,
  metadata: Record<string, MetadataValue>,
  more: Record<string, MemoryTensor> = {},
): Checkpoint {
  return memoryCheckpoint({ ...countingTensors(ggufShapes(config)), ...more }, { metadata });
}

const open = (...parts: Parameters<typeof gguf>): Promise<Model> => openModel(gguf(...parts));

describe("a GGUF of architecture llama", () => {
  test("becomes a configuration that stock transformers load as a Llama", async () => {
    const { config } = await open(llama, header("llama"));
    expect(config).toEqual({
      architectures: ["LlamaForCausalLM"],
      ...llama,
      head_dim: 8,
      max_position_embeddings: 128,
      hidden_act: "silu",
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      rope_scaling: null,
      tie_word_embeddings: false,
      attention_bias: false,
      mlp_bias: false,
      bos_token_id: 1,
      eos_token_id: 2,
      torch_dtype: "float32",
    });
  });

  test("is tied when it has no output matrix, and has biases when its tensors say so", async () => {
    const fields = { ...llama, tie_word_embeddings: true, attention_bias: true, mlp_bias: true };
    const { spec } = await open(fields, header("llama"));
    expect(spec).toMatchObject({ tiedEmbeddings: true, bias: { qkv: true, o: true, mlp: true } });
  });

  test("gives rows of q and k back in the order that rotate-half wants", async () => {
    const checkpoint = gguf({ ...llama, attention_bias: true }, header("llama"));
    const model = await openModel(checkpoint);
    // Conversion to GGUF stores the rows 0 1 2 3 | 4 5 6 7 of a head of 8 as 0 4 1 5 2 6 3 7.
    const storedRow = [0, 2, 4, 6, 1, 3, 5, 7];
    for (const [name, ggufName, heads] of [
      ["model.layers.1.self_attn.q_proj.weight", "blk.1.attn_q.weight", 2],
      ["model.layers.1.self_attn.k_proj.weight", "blk.1.attn_k.weight", 1],
      ["model.layers.1.self_attn.q_proj.bias", "blk.1.attn_q.bias", 2],
    ] as const) {
      const stored = await checkpoint.read(ggufName);
      const rowSize = stored.length / (8 * heads);
      const expected = Array.from({ length: 8 * heads }, (_, row) => {
        const from = row - (row % 8) + storedRow[row % 8]!;
        return [...stored.subarray(from * rowSize, (from + 1) * rowSize)];
      });
      expect([...(await model.read(name))]).toEqual(expected.flat());
      expect([...(await model.readRows(name, 3, 7))]).toEqual(expected.slice(3, 7).flat());
    }
  });

  test("leaves all other tensors as they are", async () => {
    const checkpoint = gguf(llama, header("llama"));
    const model = await openModel(checkpoint);
    for (const [name, ggufName] of [
      ["model.layers.0.self_attn.v_proj.weight", "blk.0.attn_v.weight"],
      ["model.layers.0.self_attn.o_proj.weight", "blk.0.attn_output.weight"],
      ["model.layers.0.mlp.gate_proj.weight", "blk.0.ffn_gate.weight"],
      ["model.layers.0.post_attention_layernorm.weight", "blk.0.ffn_norm.weight"],
      ["model.norm.weight", "output_norm.weight"],
      ["lm_head.weight", "output.weight"],
    ] as const)
      expect(await model.read(name)).toEqual(await checkpoint.read(ggufName));
  });

  test("recognises Llama 3's rotary scaling in the divisors that it is stored as", async () => {
    // As llama.cpp's convert_hf_to_gguf.py computes them for head_dim 8, rope_theta 500000, factor 8: 1 for short
    // wavelengths, 8 for long ones, 1 / ((1 - smooth) / 8 + smooth) between.
    const fields = header("llama", { "rope.freq_base": 500000 });
    const divisors = { "rope_freqs.weight": { shape: [4], data: Float32Array.of(1, 1, 2.69452969, 8) } };
    const { spec } = await open(llama, fields, divisors);
    expect(attentionOf(spec.layers[0]!)!.rope).toMatchObject({
      kind: "llama3",
      factor: 8,
      originalMaxPositionEmbeddings: 8192,
    });
    await expect(
      open(llama, fields, { "rope_freqs.weight": { shape: [4], data: Float32Array.of(1, 3, 5, 8) } }),
    ).rejects.toThrow("scales its rotary embedding in a way that is not supported");
  });

  test("may scale its rotary embedding by YaRN", async () => {
    const yarn = { "rope.scaling.type": "yarn", "rope.scaling.factor": 4, "rope.scaling.original_context_length": 32 };
    const ropeOf = async (more: object) =>
      attentionOf((await open(llama, header("llama", { ...yarn, ...more }))).spec.layers[0]!)!.rope;
    const plain = { kind: "yarn", factor: 4, betaFast: 32, betaSlow: 1, originalMaxPositionEmbeddings: 32 };
    const usual = 0.1 * Math.log(4) + 1;
    expect(await ropeOf({})).toMatchObject({ ...plain, attentionFactor: usual });
    // llama.cpp multiplies with what the header says besides
    expect(await ropeOf({ "rope.scaling.attn_factor": 0.5 })).toMatchObject({ attentionFactor: 0.5 * usual });
    expect(await ropeOf({ "rope.scaling.yarn_log_multiplier": 1 })).toMatchObject({ attentionFactor: 1 });
  });

  test("may scale its rotary embedding linearly", async () => {
    const scaled = header("llama", { "rope.scaling.type": "linear", "rope.scaling.factor": 4 });
    expect(attentionOf((await open(llama, scaled)).spec.layers[0]!)!.rope).toEqual({
      kind: "linear",
      theta: 10000,
      factor: 4,
    });
  });
});

test("a GGUF of architecture qwen2 has biases and no reordered rows", async () => {
  const checkpoint = gguf({ ...llama, model_type: "qwen2" }, header("qwen2"));
  const model = await openModel(checkpoint);
  expect(model.config).toMatchObject({ architectures: ["Qwen2ForCausalLM"], model_type: "qwen2" });
  expect(model.spec.bias).toEqual({ qkv: true, o: false, mlp: false, down: false });
  expect(await model.read("model.layers.0.self_attn.q_proj.weight")).toEqual(
    await checkpoint.read("blk.0.attn_q.weight"),
  );
});

describe("a GGUF of architecture gemma3", () => {
  const gemma3 = { ...llama, model_type: "gemma3_text", head_dim: 12, num_hidden_layers: 7, sliding_window: 32 };
  const fields = {
    block_count: 7,
    "attention.key_length": 12,
    "attention.value_length": 12,
    "attention.sliding_window": 32,
  };

  test("has windows in five of six layers and a smaller rotary base there", async () => {
    const { spec, config } = await open(gemma3, header("gemma3", { ...fields, "rope.freq_base": 1000000 }));
    expect(spec.layers.map((layer) => attentionOf(layer)?.slidingWindow)).toEqual([32, 32, 32, 32, 32, undefined, 32]);
    expect(spec.layers.map((layer) => attentionOf(layer)?.rope?.theta)).toEqual([1e4, 1e4, 1e4, 1e4, 1e4, 1e6, 1e4]);
    expect(spec.attentionScale).toBeCloseTo(12 ** -0.5, 15);
    expect(config).toMatchObject({ model_type: "gemma3_text", hidden_activation: "gelu_pytorch_tanh" });
  });

  test("may list which layers have a window", async () => {
    const listed = { ...fields, "attention.sliding_window_pattern": [true, false, true, true, false, true, false] };
    const { spec } = await open(gemma3, header("gemma3", listed));
    expect(spec.layers.map((layer) => attentionOf(layer)?.slidingWindow)).toEqual([
      32,
      undefined,
      32,
      32,
      undefined,
      32,
      undefined,
    ]);
  });

  test("stores norms with their offset of 1 added", async () => {
    const checkpoint = gguf(gemma3, header("gemma3", fields));
    const model = await openModel(checkpoint);
    for (const [name, ggufName] of [
      ["model.layers.2.self_attn.q_norm.weight", "blk.2.attn_q_norm.weight"],
      ["model.layers.2.mlp_output_layernorm.weight", "blk.2.post_ffw_norm.weight"],
      ["model.norm.weight", "output_norm.weight"],
    ] as const)
      expect(await model.read(name)).toEqual((await checkpoint.read(ggufName)).map((value) => value - 1));
    expect(await model.read("model.embed_tokens.weight")).toEqual(await checkpoint.read("token_embd.weight"));
  });
});

describe("refused with its reason is a GGUF", () => {
  test.each<[string, Record<string, MetadataValue>, string]>([
    ["of an unknown architecture", { "general.architecture": "rwkv7" }, '"rwkv7" is not supported'],
    ["with partial rotary embedding", header("llama", { "rope.dimension_count": 4 }), "partial rotary embedding"],
    ["with another rotary scaling", header("llama", { "rope.scaling.type": "su" }), 'of kind "su"'],
    ["with capped logits", header("llama", { final_logit_softcapping: 30 }), "it caps its logits"],
    ["with scaled logits", header("llama", { logit_scale: 8 }), "has logit_scale 8"],
    [
      "with values wider than keys",
      header("llama", { "attention.value_length": 16 }),
      "values of 16 elements beside keys of 8",
    ],
    [
      "whose layers differ",
      header("llama", { feed_forward_length: [24, 48] }),
      "layers that differ in feed_forward_length",
    ],
    [
      "of glm4moe with layers that predict further tokens",
      header("glm4moe", { expert_feed_forward_length: 8, nextn_predict_layers: 1 }),
      "nextn_predict_layers 1",
    ],
  ])("%s", async (_, metadata, message) => {
    await expect(open(llama, metadata)).rejects.toMatchObject({
      kind: "architecture",
      message: expect.stringContaining(message),
    });
  });

  test("whose header lacks a size", async () => {
    const { "llama.embedding_length": _, ...rest } = header("llama");
    await expect(open(llama, rest)).rejects.toThrow("its GGUF header does not give embedding_length");
  });

  test("whose tensors contradict its header", async () => {
    await expect(open(llama, header("llama", { feed_forward_length: 32 }))).rejects.toThrow(
      "blk.0.ffn_gate.weight is [24, 16], its GGUF header says intermediate_size 32",
    );
  });
});
