import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import type { LayerIndex } from "../../../src/model/spec/layer-index.ts";
import { attentionOf, type LayerSizes, type LayerSpec, resized, sizesOf } from "../../../src/model/spec/parts.ts";
import { type PrunedShape, prunedConfig, renderConfig } from "../../../src/model/write/pruned-config.ts";

const fixture = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../../fixtures/tiny/${name}/config.json`, import.meta.url), "utf8"));

/** The configuration of a model that keeps layers 0 and 2, or others. */
const prune = (
  config: Record<string, unknown>,
  { keptLayers = [0, 2], ...shape }: Partial<Omit<PrunedShape, "keptLayers">> & { keptLayers?: number[] } = {},
) =>
  prunedConfig(config, parseConfig(config), {
    ...shape,
    keptLayers: keptLayers as LayerIndex[],
    layers: shape.layers ?? narrow(config, keptLayers),
  });

/** The kept layers at width 64. */
const narrow = (config: Record<string, unknown>, keptLayers: readonly number[]) =>
  keptLayers.map((index) => resized(parseConfig(config).layers[index]!, { intermediateSize: 64 }));

describe.each([
  "llama",
  "llama-bias",
  "llama-head-dim",
  "llama3-rope",
  "linear-rope",
  "yarn-rope",
  "dynamic-rope",
  "phi3-longrope",
  "mistral",
  "qwen2",
])("the pruned configuration of %s", (name) => {
  test("describes the kept layers at their new width and nothing else that is new", () => {
    const spec = parseConfig(fixture(name));
    const layers = [0, 2].map((index) => resized(spec.layers[index]!, { intermediateSize: 64 }));
    expect(parseConfig(prune(fixture(name)))).toEqual({ ...spec, layers });
  });

  test("describes the same when read by transformers 4, which does not know rope_parameters", () => {
    const { rope_parameters, ...known } = prune(fixture(name));
    expect(parseConfig(known)).toEqual(parseConfig(prune(fixture(name))));
  });
});

const gemma3 = {
  model_type: "gemma3_text",
  hidden_size: 32,
  intermediate_size: 80,
  num_hidden_layers: 8,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  vocab_size: 96,
  sliding_window: 8,
  sliding_window_pattern: 3,
};

test("a window pattern by position becomes a list, because positions shift", () => {
  const pruned = prune(gemma3, { keptLayers: [1, 2, 5, 6] });
  expect(pruned.layer_types).toEqual(["sliding_attention", "full_attention", "full_attention", "sliding_attention"]);
  expect(pruned).not.toHaveProperty("sliding_window_pattern");
  expect(parseConfig(pruned).layers.map((layer) => attentionOf(layer)?.slidingWindow)).toEqual([
    8,
    undefined,
    undefined,
    8,
  ]);
});

test("Qwen's first windowed layer moves down with the layers removed before it", () => {
  const windowed = { use_sliding_window: true, sliding_window: 8, max_window_layers: 2, layer_types: undefined };
  const pruned = prune({ ...fixture("qwen2"), ...windowed });
  expect(pruned.max_window_layers).toBe(1);
  expect(pruned.layer_types).toEqual(["full_attention", "sliding_attention"]);
});

test("every list with an entry for each layer is cut, lists of tokens and classes are not", () => {
  const pruned = prune({
    ...fixture("llama"),
    some_layer_list: ["a", "b", "c"],
    eos_token_id: [2, 3, 4],
    pair: [1, 2],
  });
  expect(pruned.some_layer_list).toEqual(["a", "c"]);
  expect(pruned.eos_token_id).toEqual([2, 3, 4]);
  expect(pruned.pair).toEqual([1, 2]);
});

test("fewer heads keep their size, said explicitly", () => {
  const config = { ...fixture("llama"), head_dim: undefined };
  const layer = sized({ intermediateSize: 64, numAttentionHeads: 2, numKeyValueHeads: 1 });
  const pruned = prune(config, { layers: [layer, layer] });
  expect(pruned).toMatchObject({ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 8 });
});

/** A layer of a tiny Llama in other sizes. */
const sized = (sizes: Partial<LayerSizes>): LayerSpec => resized(parseConfig(fixture("llama")).layers[0]!, sizes);

describe("sizes that no stock class loads", () => {
  const three = { intermediateSize: 64, numAttentionHeads: 3, numKeyValueHeads: 1 };

  test.each(["llama", "gemma3"])("%s: heads that do not divide the hidden size come with code", (name) => {
    const pruned = prune(fixture(name), { layers: [sized(three), sized(three)] });
    expect(pruned).toMatchObject({ attention_heads: [3, 3], num_attention_heads: 4, auto_map: expect.anything() });
    expect(sizesOf(parseConfig(pruned).layers[1]!)).toEqual(three);
  });

  test.each([
    ["phi3-longrope", { attention_heads: [2, 2], num_attention_heads: 4, auto_map: expect.anything() }],
    ["phi3", { num_attention_heads: 2, head_dim: 4 }],
  ])("%s: fewer heads of longrope come with code, because its factors are counted by their number", (name, fields) => {
    const config = fixture(name);
    const fewer = { intermediateSize: 64, numAttentionHeads: 2, numKeyValueHeads: 1 };
    const layers = narrow(config, [0, 2]).map((layer) => resized(layer, fewer));
    const pruned = prune(config, { layers });
    expect(pruned).toMatchObject(fields);
    expect("auto_map" in pruned).toBe("auto_map" in fields);
  });

  test.each(["mistral", "qwen2"])("%s takes any number of heads", (name) => {
    const pruned = prune(fixture(name), { layers: [sized(three), sized(three)] });
    expect(pruned).toMatchObject({ num_attention_heads: 3, num_key_value_heads: 1 });
    expect(pruned).not.toHaveProperty("auto_map");
  });

  test("layers that differ, or lack a part, list their sizes; made alike again they are plain", () => {
    const absent = { intermediateSize: 0, numAttentionHeads: 0, numKeyValueHeads: 0 };
    const mixed = prune(fixture("llama"), { layers: [sized(three), sized(absent)] });
    expect(mixed).toMatchObject({ intermediate_sizes: [64, 0], attention_heads: [3, 0], key_value_heads: [1, 0] });
    expect(parseConfig(mixed).layers.map(sizesOf)).toEqual([three, absent]);
    const even = { ...three, numAttentionHeads: 2 };
    const plain = prune(mixed, { keptLayers: [0], layers: [sized(even)] });
    expect(plain).toMatchObject({ num_attention_heads: 2, num_key_value_heads: 1, intermediate_size: 64, head_dim: 8 });
    for (const key of ["intermediate_sizes", "attention_heads", "key_value_heads", "auto_map"])
      expect(plain).not.toHaveProperty(key);
  });
});

test("the type of the weights is named under the key that the source uses", () => {
  expect(prune(fixture("llama"), { dtype: "BF16" })).toMatchObject({ dtype: "bfloat16" });
  expect(prune({ ...gemma3, torch_dtype: "float32" }, { dtype: "F16" })).toMatchObject({ torch_dtype: "float16" });
  expect(prune(gemma3, { dtype: "F32" })).toMatchObject({ torch_dtype: "float32" });
  expect(prune(fixture("llama"))).toMatchObject({ dtype: "float32" });
});

test("whole numbers that are floats in the source stay floats, whatever their field", () => {
  const source = '{ "embedding_multiplier": 12.0, "logits_scaling": 8.0, "num_hidden_layers": 3 }';
  const text = renderConfig({ embedding_multiplier: 12, logits_scaling: 8, num_hidden_layers: 2 }, source);
  expect(text).toContain('"embedding_multiplier": 12.0,');
  expect(text).toContain('"logits_scaling": 8.0,');
  expect(text).toContain('"num_hidden_layers": 2\n');
});

test("floats that are whole numbers are written as floats", () => {
  const text = renderConfig({ rope_theta: 10000, rope_scaling: { factor: 8, rope_type: "linear" }, hidden_size: 32 });
  expect(text).toContain('"rope_theta": 10000.0,');
  expect(text).toContain('"factor": 8.0,');
  expect(text).toContain('"hidden_size": 32\n');
  expect(JSON.parse(text)).toEqual({
    rope_theta: 10000,
    rope_scaling: { factor: 8, rope_type: "linear" },
    hidden_size: 32,
  });
});
