import { describe, expect, test } from "vitest";
import type { MetadataValue } from "../../../src/checkpoint/checkpoint.ts";
import { tokenizerFromGguf } from "../../../src/tokenizer/gguf/from-gguf.ts";
import { ggufWarnings, TOKEN_TYPE } from "../../../src/tokenizer/gguf/vocabulary.ts";
import { openTokenizer } from "../../../src/tokenizer/tokenizer.ts";
import { memoryCheckpoint } from "../../model/memory-checkpoint.ts";

const { normal, unknown, control, userDefined, byte } = TOKEN_TYPE;

const checkpoint = (keys: Readonly<Record<string, MetadataValue>>) =>
  memoryCheckpoint(
    {},
    {
      metadata: Object.fromEntries(Object.entries(keys).map(([key, value]) => [`tokenizer.ggml.${key}`, value])),
    },
  );

const byteLevel = {
  model: "gpt2",
  pre: "gpt-2",
  tokens: ["a", "b", "Ġ", "ab", "Ġab", "<s>", "</s>", "<tool>"],
  token_type: [normal, normal, normal, normal, normal, control, control, userDefined],
  merges: ["a b", "Ġ ab"],
  bos_token_id: 5,
  eos_token_id: 6,
};

/** "aab" can be put together as "aa" + "b" and as "a" + "ab". */
const sentencePiece = {
  model: "llama",
  tokens: ["<unk>", "<s>", "<0x0A>", "▁", "a", "b", "aa", "ab", "aab"],
  token_type: [unknown, control, byte, normal, normal, normal, normal, normal, normal],
  scores: [0, 0, 0, -1e6, -1e6, -1e6, -2, -1, -3],
  unknown_token_id: 0,
  bos_token_id: 1,
};

describe("a byte-level vocabulary", () => {
  test("merges words by rank, and finds added tokens before anything is merged", async () => {
    const { encode, decode } = await openTokenizer(checkpoint(byteLevel));
    expect(encode("ab ab")).toEqual([3, 4]);
    expect(encode("a<tool>b</s>")).toEqual([0, 7, 1, 6]);
    expect(decode([3, 4, 7, 6])).toBe("ab ab<tool>");
  });

  test.each<[object, boolean]>([
    [{}, false],
    [{ add_bos_token: true }, true],
    [{ pre: "llama-bpe" }, true],
    [{ pre: "llama-bpe", add_bos_token: false }, false],
  ])("with %o prepends BOS: %s", async (change, addsBos) => {
    expect((await openTokenizer(checkpoint({ ...byteLevel, ...change }))).addsBos).toBe(addsBos);
  });

  test("ends a text at EOS and at the end of a turn", async () => {
    const { eosTokenIds } = await openTokenizer(checkpoint({ ...byteLevel, eot_token_id: 7 }));
    expect(eosTokenIds).toEqual([6, 7]);
  });

  test.each<[string, object, string]>([
    ["a pre-tokenizer of no known name", { pre: "new" }, 'names the pre-tokenizer "new"'],
    ["a merge of what is no token", { merges: ["a x"] }, 'the merge "a x" is not of tokens'],
    ["the same token twice", { tokens: ["a", "a"] }, 'tokens 0 and 1 are both "a"'],
    ["tokens that are no texts", { tokens: [1] }, "is not a list of texts"],
    ["another kind", { model: "bert" }, 'a tokenizer of kind "bert"'],
  ])("is refused with %s", (_, change, message) => {
    expect(() => tokenizerFromGguf(checkpoint({ ...byteLevel, ...change }))).toThrow(message);
  });
});

test.each<[string, Readonly<Record<string, MetadataValue>>, number]>([
  ["without a pre-tokenizer's name", { model: "gpt2" }, 1],
  ["with it", { model: "gpt2", pre: "default" }, 0],
  ["of SentencePiece, which needs none", { model: "llama" }, 0],
])("a file %s is a guess as often: %o", (_, keys, count) => {
  const warnings = ggufWarnings(checkpoint(keys));
  expect(warnings).toHaveLength(count);
  for (const warning of warnings) expect(warning).toContain("does not name its pre-tokenizer");
});

describe("a SentencePiece vocabulary", () => {
  test("merges every way to make a piece, the best-scored piece first, the longest left half first", () => {
    const { json } = tokenizerFromGguf(checkpoint(sentencePiece));
    expect(json.model.merges).toEqual([
      ["a", "b"],
      ["a", "a"],
      ["aa", "b"],
      ["a", "ab"],
    ]);
  });

  test("prefixes a space, joins the best pair first and spells out bytes", async () => {
    const { encode, decode, addsBos } = await openTokenizer(checkpoint(sentencePiece));
    expect(encode("ab")).toEqual([3, 7]);
    expect(encode("aab\n")).toEqual([3, 8, 2]);
    expect(decode([3, 8, 2])).toBe("aab\n");
    expect(addsBos).toBe(true);
  });

  test("prefixes none where the file says so", async () => {
    expect((await openTokenizer(checkpoint({ ...sentencePiece, add_space_prefix: false }))).encode("ab")).toEqual([7]);
  });
});
