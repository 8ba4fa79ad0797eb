import { describe, expect, test } from "vitest";
import { withDefaults } from "../../../src/model/config/parse-config.ts";
import { FAMILIES, familyOf } from "../../../src/model/families/index.ts";
import type { RopeSpec } from "../../../src/model/spec/rope.ts";

const LLAMA3: RopeSpec = {
  kind: "llama3",
  theta: 5e5,
  factor: 8,
  lowFreqFactor: 1,
  highFreqFactor: 4,
  originalMaxPositionEmbeddings: 8192,
};

describe.each(FAMILIES.map((family) => [family.modelType, family] as const))("%s", (modelType, family) => {
  test("is found by its model_type", () => expect(familyOf({ model_type: modelType })).toBe(family));

  test.skipIf(family.positions === "learned")("reads its rotary embedding back from the fields that it writes", () => {
    const both = { full_attention: LLAMA3, sliding_attention: LLAMA3 };
    const read = family.rope.parse(withDefaults(family, family.rope.fields(both, 1)));
    // windows whose rotation is never scaled may have a base of their own
    const theta = "rope_local_base_freq" in family.defaults ? 1e4 : LLAMA3.theta;
    const own = { kind: "default", theta } as const;
    const rope = { ...both, ...(read.sliding_attention.kind === "default" ? { sliding_attention: own } : {}) };
    expect(family.rope.parse(withDefaults(family, family.rope.fields(rope, 1)))).toEqual(rope);
  });

  test.skipIf(family.positions === "learned")("reads back that whole heads are rotated", () => {
    const both = { full_attention: LLAMA3, sliding_attention: LLAMA3 };
    expect(family.rope.share(withDefaults(family, family.rope.fields(both, 1)))).toBe(1);
  });

  test("names every field that decides about its biases among its defaults", () => {
    for (const rule of Object.values(family.bias))
      if (typeof rule === "string") expect(family.defaults).toHaveProperty(rule, expect.any(Boolean));
  });

  test("has its activation among its defaults", () => expect(family.defaults).toHaveProperty(family.names.activation));
});
