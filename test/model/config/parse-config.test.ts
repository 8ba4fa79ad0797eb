import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { CompError } from "../../../src/errors.ts";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { FAMILIES } from "../../../src/model/families/index.ts";
import { type DecoderSpec, SANDWICH_NORMS } from "../../../src/model/spec/decoder-spec.ts";
import { attentionOf, sizesOf } from "../../../src/model/spec/parts.ts";

const fixture = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../../fixtures/tiny/${name}/config.json`, import.meta.url), "utf8"));

const llama = {
  model_type: "llama",
  hidden_size: 32,
  intermediate_size: 80,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 96,
};

/** As published with google/gemma-3-1b-it (transformers 4), cut to what matters, with 8 layers. */
const gemma3 = {
  model_type: "gemma3_text",
  attn_logit_softcapping: null,
  final_logit_softcapping: null,
  head_dim: 256,
  hidden_activation: "gelu_pytorch_tanh",
  hidden_size: 1152,
  intermediate_size: 6912,
  max_position_embeddings: 32768,
  num_attention_heads: 4,
  num_hidden_layers: 8,
  num_key_value_heads: 1,
  query_pre_attn_scalar: 256,
  rms_norm_eps: 1e-6,
  rope_local_base_freq: 10000,
  rope_scaling: null,
  rope_theta: 1000000,
  sliding_window: 512,
  sliding_window_pattern: 6,
  vocab_size: 262144,
};

function refusal(config: Record<string, unknown>): { kind: string; message: string; hint: string | undefined } {
  try {
    parseConfig(config);
  } catch (error) {
    const { kind, message, hint } = error as CompError;
    return { kind, message, hint };
  }
  throw new Error("the configuration was accepted");
}

const ropeOf = ({ layers }: DecoderSpec, index: number) => attentionOf(layers[index]!)?.rope;

describe("a configuration that transformers 5 wrote", () => {
  test("of a Llama becomes its sizes, plain rotary embedding and SiLU", () => {
    const spec = parseConfig(fixture("llama"));
    expect(spec).toMatchObject({
      family: "llama",
      hiddenSize: 32,
      headDim: 8,
      vocabSize: 96,
      normEpsilon: 1e-6,
      activation: "silu",
      tiedEmbeddings: false,
      bias: { qkv: false, o: false, mlp: false },
      normOffset: 0,
      embeddingScale: 1,
    });
    expect(spec.attentionScale).toBeCloseTo(1 / Math.sqrt(8), 15);
    expect(spec.layers).toHaveLength(3);
    expect(spec.layers[2]).toEqual({
      type: "full_attention",
      mixer: {
        kind: "attention",
        numAttentionHeads: 4,
        numKeyValueHeads: 2,
        slidingWindow: undefined,
        rope: { kind: "default", theta: 10000 },
      },
      channel: { kind: "mlp", intermediateSize: 80 },
    });
  });

  test.each([
    ["llama-tied", { tiedEmbeddings: true }],
    ["llama-bias", { bias: { qkv: true, o: true, mlp: true } }],
    ["llama-head-dim", { headDim: 12 }],
    ["llama-gelu", { activation: "gelu" }],
    ["qwen2", { bias: { qkv: true, o: false, mlp: false } }],
  ])("of %s differs from the plain Llama as its name says", (name, difference) => {
    expect(parseConfig(fixture(name))).toMatchObject(difference);
  });

  test("of a Mistral gives every layer its sliding window", () => {
    expect(parseConfig(fixture("mistral")).layers.map((layer) => attentionOf(layer)?.slidingWindow)).toEqual([8, 8, 8]);
  });

  test("of a Qwen 2 whose window is not used has no window", () => {
    expect(parseConfig(fixture("qwen2")).layers.map((layer) => attentionOf(layer)?.slidingWindow)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("carries llama3 and linear scaling in rope_parameters", () => {
    expect(ropeOf(parseConfig(fixture("llama3-rope")), 0)).toEqual({
      kind: "llama3",
      theta: 500000,
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositionEmbeddings: 32,
    });
    expect(ropeOf(parseConfig(fixture("linear-rope")), 0)).toEqual({ kind: "linear", theta: 10000, factor: 4 });
  });

  test("of a Gemma 3 nests rotary parameters per layer type", () => {
    const { rope_theta, rope_local_base_freq, rope_scaling, sliding_window_pattern, ...rest } = gemma3;
    const spec = parseConfig({
      ...rest,
      layer_types: Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? "sliding_attention" : "full_attention")),
      rope_parameters: {
        full_attention: { rope_theta: 1000000, rope_type: "linear", factor: 8 },
        sliding_attention: { rope_theta: 20000, rope_type: "default" },
      },
    });
    expect(attentionOf(spec.layers[0]!)).toMatchObject({ slidingWindow: 512, rope: { kind: "default", theta: 20000 } });
    expect(attentionOf(spec.layers[1]!)).toMatchObject({
      slidingWindow: undefined,
      rope: { kind: "linear", theta: 1000000, factor: 8 },
    });
  });
});

test("Gemma 3 has the vocabulary and the heads of its class where it does not give them, as it is published", () => {
  const { vocab_size: _, num_attention_heads: __, ...sparse } = fixture("gemma3");
  const spec = parseConfig(sparse);
  expect(spec.vocabSize).toBe(262_208);
  expect(spec.layers.map((layer) => sizesOf(layer).numAttentionHeads)).toEqual(spec.layers.map(() => 8));
});

describe("a configuration that transformers 4 wrote", () => {
  test("gives rope_theta and rope_scaling, whose kind was once called type", () => {
    const spec = parseConfig({ ...llama, rope_theta: 500000, rope_scaling: { type: "linear", factor: 2 } });
    expect(ropeOf(spec, 0)).toEqual({ kind: "linear", theta: 500000, factor: 2 });
  });

  test("leaves out what equals the family's defaults", () => {
    expect(parseConfig(llama)).toMatchObject({ normEpsilon: 1e-6, activation: "silu", maxPositionEmbeddings: 2048 });
    expect(parseConfig({ ...llama, num_key_value_heads: null }).layers.map(sizesOf)[0]!.numKeyValueHeads).toBe(4);
    expect(parseConfig({ ...llama, model_type: "mistral" }).layers.map(attentionOf)[0]!.slidingWindow).toBe(4096);
    expect(
      parseConfig({ ...llama, model_type: "mistral", sliding_window: null }).layers.map(attentionOf)[0]!.slidingWindow,
    ).toBeUndefined();
  });

  test("of a Qwen 2 gives windows from layer max_window_layers on", () => {
    const windowed = { use_sliding_window: true, sliding_window: 16, max_window_layers: 1 };
    const spec = parseConfig({ ...llama, model_type: "qwen2", ...windowed });
    expect(spec.layers.map((layer) => attentionOf(layer)?.slidingWindow)).toEqual([undefined, 16, 16]);
  });

  test("of a Gemma 3 gives five of six layers a window and their own rotary base", () => {
    const spec = parseConfig(gemma3);
    expect(spec).toMatchObject({
      activation: "gelu-tanh",
      tiedEmbeddings: true,
      normOffset: 1,
      queryKeyNorm: "head",
      norms: SANDWICH_NORMS,
      attentionScale: 1 / 16,
      embeddingScale: Math.sqrt(1152),
    });
    expect(spec.layers.map((layer) => attentionOf(layer)?.slidingWindow)).toEqual([
      512,
      512,
      512,
      512,
      512,
      undefined,
      512,
      512,
    ]);
    expect(ropeOf(spec, 5)).toEqual({ kind: "default", theta: 1000000 });
    expect(ropeOf(spec, 6)).toEqual({ kind: "default", theta: 10000 });
  });
});

describe("refused with its reason is", () => {
  test.each<[string, Record<string, unknown>, RegExp]>([
    ["an unknown family", { model_type: "mystery" }, /"mystery", which is not supported/],
    ["no family at all", { model_type: undefined }, /gives no model_type/],
    ["a mixture of experts", { num_local_experts: 8 }, /mixture of experts/],
    ["an AWQ or GPTQ folder", { quantization_config: { quant_method: "awq" } }, /weights are quantized/],
    ["partial rotary embedding", { partial_rotary_factor: 0.5 }, /partial rotary/],
    ["another rotary embedding", { rope_scaling: { rope_type: "xpos", factor: 4 } }, /of kind "xpos"/],
    ["capped attention scores", { attn_logit_softcapping: 50 }, /caps its attention scores/],
    ["an unknown activation", { hidden_act: "mish" }, /hidden_act "mish"/],
    ["heads of an odd size", { head_dim: 7 }, /heads of 7 elements/],
  ])("%s", (_, fields, message) => {
    expect(refusal({ ...llama, ...fields })).toMatchObject({
      kind: "architecture",
      message: expect.stringMatching(message),
    });
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ["a missing size", { hidden_size: undefined }, /does not give hidden_size/],
    ["a negative size", { vocab_size: -1 }, /vocab_size is -1; it must be a positive integer/],
    ["a size beyond belief", { num_hidden_layers: 1e9 }, /positive integer up to 4096/],
    ["a size that is text", { intermediate_size: "80" }, /intermediate_size is "80"/],
    ["heads that cannot share key-value heads", { num_key_value_heads: 3 }, /4 attention heads share 3/],
    ["a hidden size that heads do not divide", { hidden_size: 30 }, /hidden_size 30, which 4 attention heads/],
    ["a flag that is text", { attention_bias: "yes" }, /attention_bias is "yes"/],
    ["a scaling without its factor", { rope_scaling: { rope_type: "linear" } }, /rope_scaling, does not give factor/],
    [
      "a token that goes to more experts than there are",
      { model_type: "mixtral", num_local_experts: 2, num_experts_per_tok: 4 },
      /sends each token to 4 of 2 experts/,
    ],
  ])("%s", (_, fields, message) => {
    expect(refusal({ ...llama, ...fields })).toMatchObject({
      kind: "checkpoint",
      message: expect.stringMatching(message),
    });
  });

  test("every unknown family together with the list of known ones", () => {
    expect(refusal({ model_type: "mystery" }).hint).toBe(
      `supported: ${FAMILIES.map(({ modelType }) => modelType).join(", ")}`,
    );
  });
});
