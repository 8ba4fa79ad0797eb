// Tokenizers whose ids cannot be those of the Rust library are refused, by the name of what stands in the way.
import { expect, test } from "vitest";
import { createTokenizer } from "../../../src/tokenizer/tokenizer.ts";
import type { TokenizerJson } from "../../../src/tokenizer/tokenizer-json.ts";

const BPE = { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: [["a", "b"]] };
const json: TokenizerJson = {
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model: BPE,
};
const open = (change: object) => {
  const specialTokens = { bosTokenId: undefined, eosTokenIds: [] };
  return createTokenizer({ json: { ...json, ...change }, config: {}, specialTokens }, "folder");
};

test.each<[string, object, string]>([
  ["a normalizer", { normalizer: { type: "Nmt" } }, "its normalizer Nmt is not supported"],
  ["a table that is none", { normalizer: { type: "Precompiled", precompiled_charsmap: "AAAA" } }, "is damaged"],
  ["a pre-tokenizer", { pre_tokenizer: { type: "UnicodeScripts" } }, "its pre-tokenizer UnicodeScripts is not"],
  [
    "a member of a sequence",
    { pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "X" }] } },
    "pre-tokenizer X",
  ],
  ["a way to split", { pre_tokenizer: { type: "Split", pattern: { String: "a" }, behavior: "Y" } }, "the behavior Y"],
  ["a pattern", { pre_tokenizer: { type: "Split", pattern: { Glob: "a" }, behavior: "Isolated" } }, "its pattern"],
  ["a model", { model: { ...BPE, type: "Other" } }, "its model Other is not supported"],
  ["chance", { model: { ...BPE, dropout: 0.1 } }, "left out at random (dropout 0.1)"],
  ["a merge of what is no token", { model: { ...BPE, merges: ["a c"] } }, 'its merge "a c" is not of tokens'],
  ["an unknown token that is none", { model: { ...BPE, unk_token: "?" } }, 'its unknown token "?" is not in its'],
  ["a decoder", { decoder: { type: "Nonsense" } }, "Nonsense"],
])("%s", (_, change, message) => {
  expect(() => open(change)).toThrow(message);
  expect(() => open(change)).toThrow("folder: the tokenizer cannot be used: ");
});

test("a character that nothing is for is told when it comes", () => {
  const { encode } = open({ model: { type: "Unigram", unk_id: null, vocab: [["a", -1]] } });
  expect(encode("aa")).toEqual([0, 0]);
  expect(() => encode("ab")).toThrow('folder: the tokenizer cannot be used: its vocabulary has no token for "b"');
});
