import { expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { ropeHeader, ropeTensors } from "../../../src/model/gguf/rope.ts";
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

/** YaRN with its usual bounds and factor of attention, in units that f32 keeps. */
const YARN = {
  kind: "yarn",
  theta: 1e4,
  factor: 4,
  betaFast: 32,
  betaSlow: 1,
  truncate: true,
  originalMaxPositionEmbeddings: 32,
  attentionFactor: 0.1 * Math.log(4) + 1,
} as const;
const YARN_HEADER = {
  "rope.freq_base": ["f32", 1e4],
  "rope.scaling.type": ["string", "yarn"],
  "rope.scaling.factor": ["f32", 4],
  "rope.scaling.original_context_length": ["u32", 32],
  "rope.scaling.yarn_beta_fast": ["f32", 32],
  "rope.scaling.yarn_beta_slow": ["f32", 1],
} as const;

test("Llama 3's scaling is a divisor for each frequency, from 1 for the short wavelengths to its factor", () => {
  const divisors = ropeTensors(specWith(LLAMA3)).get("rope_freqs.weight")!;
  expect(divisors).toHaveLength(32);
  expect(divisors[0]).toBe(1);
  expect(divisors[31]).toBe(8);
  expect([...divisors]).toEqual([...divisors].sort((a, b) => a - b));
});

test("longrope has its two lists of factors", () => {
  const [short, long] = [new Array<number>(32).fill(2), new Array<number>(32).fill(3)];
  const tensors = ropeTensors(specWith({ rope_type: "longrope", short_factor: short, long_factor: long, factor: 4 }));
  expect([...tensors.get("rope_factors_short.weight")!]).toEqual(short);
  expect([...tensors.get("rope_factors_long.weight")!]).toEqual(long);
});

test("no other rotary embedding has tensors", () => {
  for (const scaling of [null, { rope_type: "linear", factor: 2 }]) expect(ropeTensors(specWith(scaling)).size).toBe(0);
});

test.each<[RopeSpec, object]>([
  [{ kind: "default", theta: 1e4 }, { "rope.freq_base": ["f32", 1e4] }],
  [
    { kind: "linear", theta: 1e4, factor: 2 },
    { "rope.freq_base": ["f32", 1e4], "rope.scaling.type": ["string", "linear"], "rope.scaling.factor": ["f32", 2] },
  ],
  [
    attentionOf(specWith(LLAMA3).layers[0]!)!.rope!,
    { "rope.freq_base": ["f32", 1e4], "rope.scaling.original_context_length": ["u32", 8192] },
  ],
  [
    {
      kind: "longrope",
      theta: 1e4,
      shortFactor: [],
      longFactor: [],
      originalMaxPositionEmbeddings: 32,
      attentionFactor: 2,
    },
    {
      "rope.freq_base": ["f32", 1e4],
      "rope.scaling.type": ["string", "longrope"],
      "rope.scaling.original_context_length": ["u32", 32],
      "rope.scaling.attn_factor": ["f32", 2],
    },
  ],
  // the stretched base of 8 rotated elements: 1e4 · 8^(8 / 6)
  [{ kind: "ntk-alpha", theta: 1e4, alpha: 8 }, { "rope.freq_base": ["f32", 1e4 * 8 ** (8 / 6)] }],
  [YARN, YARN_HEADER],
  [
    { ...YARN, attentionFactor: YARN.attentionFactor / 2 },
    { ...YARN_HEADER, "rope.scaling.attn_factor": ["f32", 0.5] },
  ],
])("%# has its keys in the header", (rope, header) => expect(ropeHeader(rope, 8, { yarnKeys: false })).toEqual(header));

test("YaRN's factor of attention is a multiplier where the architecture has a key for it", () => {
  const header = ropeHeader({ ...YARN, attentionFactor: 1 }, 8, { yarnKeys: true });
  expect(header["rope.scaling.yarn_log_multiplier"]![1]).toBeCloseTo(1, 12);
  expect(header["rope.scaling.attn_factor"]).toBeUndefined();
});
