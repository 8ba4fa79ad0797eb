import { describe, expect, test } from "vitest";
import { biasFields, parseBiases } from "../../../src/model/config/biases.ts";
import { ConfigFields } from "../../../src/model/config/config-fields.ts";
import { llama } from "../../../src/model/families/llama.ts";
import { qwen2 } from "../../../src/model/families/qwen2.ts";
import type { Biases } from "../../../src/model/spec/decoder-spec.ts";

const parse = ({ bias }: typeof llama, config: Record<string, unknown>): Biases =>
  parseBiases(bias, new ConfigFields(config, "config.json"));
const NONE: Biases = { qkv: false, o: false, mlp: false, down: false };

describe("biases", () => {
  test("follow a field of config.json where the family has one", () => {
    expect(parse(llama, {})).toEqual(NONE);
    expect(parse(llama, { attention_bias: true })).toEqual({ ...NONE, qkv: true, o: true });
    expect(parse(llama, { mlp_bias: true })).toEqual({ ...NONE, mlp: true, down: true });
  });

  test("are as the family has them, whatever config.json says, where it has no field", () => {
    expect(parse(qwen2, { attention_bias: false, mlp_bias: true })).toEqual({ ...NONE, qkv: true });
  });

  test("of down_proj alone are a field of ours", () =>
    expect(parse(llama, { down_proj_bias: true })).toEqual({ ...NONE, down: true }));

  test.each<[typeof llama, Biases, object]>([
    [llama, NONE, {}],
    [llama, { ...NONE, mlp: true, down: true }, { mlp_bias: true }],
    [llama, { ...NONE, down: true }, { down_proj_bias: true }],
    [qwen2, { ...NONE, qkv: true, down: true }, { down_proj_bias: true }],
  ])("%# are said in the fields that they are read from", (family, bias, fields) => {
    expect(biasFields(family.bias, bias)).toEqual(fields);
    expect(parse(family, biasFields(family.bias, bias))).toEqual(bias);
  });
});
