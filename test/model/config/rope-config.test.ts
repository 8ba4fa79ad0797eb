// Kinds of rotary embedding as config.json states them, with the frequencies that transformers 5.24.0 makes of it.
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { longestText } from "../../../src/model/spec/decoder-spec.ts";
import { attentionOf } from "../../../src/model/spec/parts.ts";
import { inverseFrequencies, keepsFrequencies, type RopeSpec } from "../../../src/model/spec/rope.ts";

const SIZES = {
  hidden_size: 64,
  intermediate_size: 80,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  vocab_size: 96,
  max_position_embeddings: 2048,
};
const llama = { ...SIZES, model_type: "llama", head_dim: 16 };
const hunyuan = { ...SIZES, model_type: "hunyuan_v1_dense", head_dim: 16 };
const phi3 = { ...SIZES, model_type: "phi3", hidden_size: 32, max_position_embeddings: 128 };

const ropeOf = (config: Record<string, unknown>): RopeSpec => attentionOf(parseConfig(config).layers[0]!)!.rope!;

const ALPHA = { alpha: 1000, factor: 1, beta_fast: 32, beta_slow: 1, mscale: 1, mscale_all_dim: 1 };
const STRETCHED = [
  1.0, 0.117876865, 0.0138949547, 0.00163789373, 0.000193069776, 2.27584587e-5, 2.68269582e-6, 3.16227755e-7,
];
const PLAIN = [1.0, 0.316227764, 0.1, 0.0316227786, 0.01, 0.00316227786, 0.001, 0.000316227786];
const LONGROPE = {
  original_max_position_embeddings: 32,
  rope_parameters: {
    rope_type: "longrope",
    rope_theta: 10000,
    short_factor: [1, 1.1, 1.3, 1.6],
    long_factor: [1, 2, 5, 9],
  },
};

describe.each<[string, Record<string, unknown>, number, number, number[]]>([
  ["dynamic, short", { ...llama, rope_scaling: { type: "dynamic", factor: 4 } }, 100, 1, PLAIN],
  [
    "dynamic, long",
    { ...llama, rope_scaling: { rope_type: "dynamic", factor: 4 } },
    5000,
    1,
    [1.0, 0.240649298, 0.0579120778, 0.013936501, 0.00335380877, 0.000807091768, 0.000194226042, 4.67403624e-5],
  ],
  [
    "yarn",
    {
      ...llama,
      rope_parameters: { rope_type: "yarn", rope_theta: 1e6, factor: 4, original_max_position_embeddings: 32768 },
    },
    5000,
    1.138629436111989,
    [1.0, 0.177827939, 0.0316227786, 0.00421755994, 0.0005, 4.44569851e-5, 7.90569356e-6, 1.40585337e-6],
  ],
  [
    "yarn with all its options",
    {
      ...llama,
      rope_parameters: {
        ...{ rope_type: "yarn", rope_theta: 10000, factor: 8, original_max_position_embeddings: 64 },
        ...{ beta_fast: 4, beta_slow: 0.5, truncate: false, mscale: 1, mscale_all_dim: 0.5 },
      },
    },
    100,
    1.094179988101349,
    [1.0, 0.28740859, 0.0424417965, 0.00395284733, 0.00125, 0.000395284733, 0.000125, 3.95284733e-5],
  ],
  ["longrope, short", { ...phi3, ...LONGROPE }, 32, 1.18321595662, [1.0, 0.0909090936, 0.0076923077, 0.000625]],
  ["longrope, long", { ...phi3, ...LONGROPE }, 33, 1.18321595662, [1.0, 0.05, 0.002, 0.000111111112]],
  ["hunyuan's alpha", { ...hunyuan, rope_scaling: { type: "dynamic", ...ALPHA } }, 100, 1, STRETCHED],
  ["hunyuan's alpha, long", { ...hunyuan, rope_parameters: { rope_type: "dynamic", ...ALPHA } }, 5000, 1, STRETCHED],
  [
    "hunyuan's alpha by its own name",
    { ...hunyuan, rope_parameters: { ...ALPHA, rope_type: "ntk_alpha" } },
    9,
    1,
    STRETCHED,
  ],
  ["hunyuan without alpha", { ...hunyuan, rope_scaling: { type: "dynamic", factor: 4 } }, 100, 1, PLAIN],
])("%s", (_, config, length, factor, expected) => {
  test("has the frequencies of transformers", () => {
    const rope = ropeOf(config);
    const frequencies = inverseFrequencies(rope, 2 * expected.length, length);
    for (const [i, value] of expected.entries()) expect(Math.abs(frequencies[i]! / value - 1)).toBeLessThan(2e-7);
    expect("attentionFactor" in rope ? rope.attentionFactor : 1).toBeCloseTo(factor, 10);
  });
});

test("texts may be as long as the scaling says, where it goes beyond max_position_embeddings", () => {
  const longest = (parameters: object): number => longestText(parseConfig({ ...llama, rope_scaling: parameters }));
  expect(longest({ type: "dynamic", factor: 1.5 })).toBe(3072);
  expect(longest({ type: "yarn", factor: 4, original_max_position_embeddings: 2048 })).toBe(8192);
  expect(longest({ type: "yarn", factor: 4, original_max_position_embeddings: 512 })).toBe(2048);
  expect(longest({ type: "linear", factor: 4 })).toBe(2048);
});

test("frequencies change where a text outgrows the original length", () => {
  const dynamic = ropeOf({ ...llama, rope_scaling: { type: "dynamic", factor: 4 } });
  const longrope = ropeOf({ ...phi3, ...LONGROPE });
  const kept = (rope: RopeSpec, ...lengths: [number, number]): boolean => keepsFrequencies(rope, ...lengths);
  expect([kept(dynamic, 2047, 2048), kept(dynamic, 2048, 2049), kept(dynamic, 2049, 2050)]).toEqual([
    true,
    false,
    false,
  ]);
  expect([kept(longrope, 31, 32), kept(longrope, 32, 33), kept(longrope, 33, 34)]).toEqual([true, false, true]);
  expect(kept(ropeOf(llama), 2048, 2049)).toBe(true);
});

describe("Exaone 4", () => {
  const exaone4 = { ...SIZES, model_type: "exaone4", num_hidden_layers: 4 };
  const layersOf = (fields: object): [string, boolean][] =>
    parseConfig({ ...exaone4, ...fields }).layers.map((layer) => [layer.type, attentionOf(layer)?.rope !== undefined]);

  test("rotates nothing in the full layers of a hybrid", () => {
    expect(layersOf({ sliding_window_pattern: 2 })).toEqual([
      ["sliding_attention", true],
      ["full_attention", false],
      ["sliding_attention", true],
      ["full_attention", false],
    ]);
    expect(layersOf({ layer_types: new Array(4).fill("full_attention") })[0]).toEqual(["full_attention", false]);
  });

  test("rotates in all layers where there is no window", () =>
    expect(layersOf({ sliding_window: null })).toEqual(new Array(4).fill(["full_attention", true])));

  test("without a window, no layer can have one", () =>
    expect(() => layersOf({ sliding_window: null, layer_types: new Array(4).fill("sliding_attention") })).toThrow(
      "config.json does not give sliding_window",
    ));
});

test("one expert of Tencent's configurations is no mixture", () =>
  expect(parseConfig({ ...hunyuan, num_experts: 1 }).family).toBe("hunyuan_v1_dense"));
