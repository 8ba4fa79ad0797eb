import { expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { ropeDivisors, ropeHeader } from "../../../src/model/gguf/rope.ts";
import { attentionOf } from "../../../src/model/spec/parts.ts";
import type { RopeSpec } from "../../../src/model/spec/rope.ts";

const specWith = (rope_scaling: object | null) =>
  parseConfig({
    model_type: "llama",
    hidden_size: 64,
    intermediate_size: 24,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    vocab_size: 10,
    rope_scaling,
  });
const LLAMA3 = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};

test("Llama 3's scaling is a divisor for each frequency, from 1 for the short wavelengths to its factor", () => {
  const divisors = ropeDivisors(specWith(LLAMA3))!;
  expect(divisors).toHaveLength(32);
  expect(divisors[0]).toBe(1);
  expect(divisors[31]).toBe(8);
  expect([...divisors]).toEqual([...divisors].sort((a, b) => a - b));
});

test("no other rotary embedding has divisors", () => {
  expect(ropeDivisors(specWith(null))).toBeUndefined();
  expect(ropeDivisors(specWith({ rope_type: "linear", factor: 2 }))).toBeUndefined();
});

test.each<[RopeSpec, object]>([
  [{ kind: "default", theta: 1e4 }, {}],
  [
    { kind: "linear", theta: 1e4, factor: 2 },
    { "rope.scaling.type": ["string", "linear"], "rope.scaling.factor": ["f32", 2] },
  ],
  [attentionOf(specWith(LLAMA3).layers[0]!)!.rope!, { "rope.scaling.original_context_length": ["u32", 8192] }],
])("%# has its keys in the header", (rope, header) => expect(ropeHeader(rope)).toEqual(header));
