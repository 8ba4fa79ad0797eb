import { describe, expect, test } from "vitest";
import { ConfigFields, type ModelConfig } from "../../../src/model/config/config-fields.ts";
import { LLAMA_FIELDS } from "../../../src/model/config/field-names.ts";
import { areAlike, parseLayerSizes, sizeFields, sizeLists } from "../../../src/model/config/layer-sizes.ts";
import { resized } from "../../../src/model/spec/parts.ts";
import { tinySpec } from "../../helpers/specs.ts";

const sizes = (intermediateSize: number, numAttentionHeads: number, numKeyValueHeads: number) => ({
  intermediateSize,
  numAttentionHeads,
  numKeyValueHeads,
});
/** A layer of these sizes. */
const layer = (...all: Parameters<typeof sizes>) => resized(tinySpec("llama").layers[0]!, sizes(...all));
const parse = (config: ModelConfig, count = 2) => {
  const fields = new ConfigFields(config, "config.json");
  return parseLayerSizes(fields, LLAMA_FIELDS, new Array(count).fill(fields.size("intermediate_size", 1000)));
};

describe("the sizes of layers", () => {
  test("are one number where all agree, a list beside the largest where they do not", () => {
    const layers = [sizes(64, 4, 2), sizes(0, 4, 1)];
    expect(sizeFields(LLAMA_FIELDS, layers)).toEqual({
      intermediate_size: 64,
      intermediate_sizes: [64, 0],
      num_attention_heads: 4,
      num_key_value_heads: 2,
      key_value_heads: [2, 1],
    });
    expect(parse(sizeFields(LLAMA_FIELDS, layers))).toEqual(layers);
  });

  test("may all be listed", () => {
    expect(sizeLists([layer(64, 4, 2), layer(32, 0, 0)])).toEqual({
      intermediate_sizes: [64, 32],
      attention_heads: [4, 0],
      key_value_heads: [2, 0],
    });
  });

  test("give each query head its own keys and values unless config.json says otherwise", () => {
    expect(parse({ intermediate_size: 8, num_attention_heads: 4 }, 1)).toEqual([sizes(8, 4, 4)]);
  });

  test("are alike when they are equal and no part is absent", () => {
    expect(areAlike([layer(64, 4, 2), layer(64, 4, 2)])).toBe(true);
    expect(areAlike([layer(64, 4, 2), layer(64, 4, 1)])).toBe(false);
    expect(areAlike([layer(0, 4, 2), layer(0, 4, 2)])).toBe(false);
    expect(areAlike([layer(64, 0, 0)])).toBe(false);
  });

  test.each<[string, ModelConfig, string]>([
    ["a list of another length", { intermediate_sizes: [8] }, "intermediate_sizes that are not 2 sizes"],
    ["a negative size", { intermediate_sizes: [8, -1] }, "intermediate_sizes that are not 2 sizes"],
    ["heads that do not share evenly", { num_key_value_heads: 3 }, "4 attention heads share 3 key-value heads"],
    ["heads without keys", { key_value_heads: [2, 0] }, "4 attention heads share 0 key-value heads"],
    ["keys without heads", { attention_heads: [4, 0] }, "0 attention heads share 2 key-value heads"],
  ])("are refused with %s", (_, change, message) => {
    const config = { intermediate_size: 8, num_attention_heads: 4, num_key_value_heads: 2, ...change };
    expect(() => parse(config)).toThrow(message);
  });
});
