// Configurations that leave something out, or say it twice: what transformers takes is what counts.
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { attentionOf } from "../../../src/model/spec/parts.ts";
import { textConfig, withTextConfig } from "../../../src/model/surroundings.ts";
import { prunedConfig } from "../../../src/model/write/pruned-config.ts";

const SIZES = {
  hidden_size: 32,
  intermediate_size: 80,
  num_hidden_layers: 8,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  vocab_size: 96,
  sliding_window: 16,
};

const windows = (config: object): boolean[] =>
  parseConfig({ ...SIZES, ...config }).layers.map((layer) => attentionOf(layer)?.slidingWindow !== undefined);
const rotations = (config: object): boolean[] =>
  parseConfig({ ...SIZES, ...config }).layers.map((layer) => attentionOf(layer)?.rope !== undefined);
const every = (period: number): boolean[] => Array.from({ length: 8 }, (_, index) => (index + 1) % period !== 0);

describe("windows by a period", () => {
  test.each([
    ["gemma2", 2],
    ["olmo3", 4],
  ])("of %s are its class's, whatever sliding_window_pattern says", (family, period) => {
    expect(windows({ model_type: family })).toEqual(every(period));
    expect(windows({ model_type: family, sliding_window_pattern: 3 })).toEqual(every(period));
  });

  test("of Gemma 3 are what sliding_window_pattern says", () =>
    expect(windows({ model_type: "gemma3_text", sliding_window_pattern: 3 })).toEqual(every(3)));
});

describe("SmolLM3", () => {
  const smollm3 = { model_type: "smollm3" };
  const listed = [1, 0, 1, 1, 0, 1, 1, 1, 0, 0];

  test("does not rotate where its list has a 0, of which more may be there than layers", () => {
    expect(rotations({ ...smollm3, no_rope_layers: listed })).toEqual(listed.slice(0, 8).map(Boolean));
    expect(rotations(smollm3)).toEqual(every(4));
  });

  test("is refused where the list ends before the layers do", () =>
    expect(() => parseConfig({ ...SIZES, ...smollm3, no_rope_layers: [1, 0] })).toThrow(
      "no_rope_layers that do not tell it of 8 layers",
    ));

  test("has the windows that are listed, used or not; without a list those that are used, where it does not rotate", () => {
    const types = every(3).map((slides) => (slides ? "sliding_attention" : "full_attention"));
    expect(windows({ ...smollm3, layer_types: types, use_sliding_window: false })).toEqual(every(3));
    expect(windows({ ...smollm3, use_sliding_window: false })).toEqual(new Array(8).fill(false));
    expect(windows({ ...smollm3, use_sliding_window: true })).toEqual(every(4).map((rotates) => !rotates));
  });

  test("names the type of each layer once it is pruned", () => {
    const config = { ...SIZES, ...smollm3, use_sliding_window: true };
    const spec = parseConfig(config);
    const kept = [0, 3, 7] as never;
    const layers = [0, 3, 7].map((index) => spec.layers[index]!);
    expect(prunedConfig(config, spec, { keptLayers: kept, layers })).toMatchObject({
      no_rope_layers: [1, 0, 0],
      layer_types: ["full_attention", "sliding_attention", "sliding_attention"],
    });
  });
});

describe("Ministral 3", () => {
  const ministral3 = { ...SIZES, model_type: "ministral3" };
  const yarn = { rope_type: "yarn", rope_theta: 5e5, factor: 4, original_max_position_embeddings: 64 };

  test("rotates and grows as its class does by default where nothing is said", () => {
    const spec = parseConfig({ ...ministral3, rope_parameters: null });
    expect(attentionOf(spec.layers[0]!)?.rope).toMatchObject({ kind: "yarn", theta: 1e6, factor: 16 });
    expect(spec.queryGrowth).toEqual({ beta: 0.1, original: 16384 });
  });

  test("may say it in rope_scaling, as older files do", () => {
    const spec = parseConfig({ ...ministral3, rope_scaling: { ...yarn, llama_4_scaling_beta: 0.2 } });
    expect(attentionOf(spec.layers[0]!)?.rope).toMatchObject({ kind: "yarn", factor: 4 });
    expect(spec.queryGrowth).toEqual({ beta: 0.2, original: 64 });
  });

  test("does not grow by 0", () =>
    expect(parseConfig({ ...ministral3, rope_parameters: { ...yarn, llama_4_scaling_beta: 0 } }).queryGrowth).toBe(
      undefined,
    ));
});

describe("a text part within a whole", () => {
  const text = { model_type: "qwen3_5_text", tie_word_embeddings: false, dtype: "float32" };
  const whole = { model_type: "qwen3_5", tie_word_embeddings: true, dtype: "bfloat16", text_config: text };

  test("has the head and the type that the whole has", () =>
    expect(textConfig(whole)).toMatchObject({ tie_word_embeddings: true, dtype: "bfloat16" }));

  test("changes them in both", () => {
    const around = { config: whole, nameOf: (name: string) => name, tensors: [] };
    expect(withTextConfig(around, { ...textConfig(whole), dtype: "float16", num_hidden_layers: 3 })).toMatchObject({
      dtype: "float16",
      text_config: { dtype: "float16", tie_word_embeddings: true, num_hidden_layers: 3 },
    });
  });
});
