import { expect, test } from "vitest";
import { ggufPreTokenizer, preTokenizerNamed } from "../../../src/tokenizer/gguf/pre-tokenizers.ts";
import { GPT2_REGEX, type PartJson, splitBy, type TokenizerJson } from "../../../src/tokenizer/tokenizer-json.ts";

const BYTES = { type: "ByteLevel", use_regex: false };
const json = (parts: PartJson[], ignoreMerges = false): TokenizerJson => ({
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: "Sequence", pretokenizers: parts },
  post_processor: null,
  decoder: null,
  model: { vocab: {}, ignore_merges: ignoreMerges },
});

/** As Llama 3's tokenizer.json has it; llama.cpp spells its contractions out. */
const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

test.each<[string, TokenizerJson]>([
  ["gpt-2", json([{ type: "ByteLevel", add_prefix_space: false }])],
  ["gpt-2", json([splitBy(GPT2_REGEX), BYTES])],
  ["smollm", json([{ type: "Digits", individual_digits: true }, { type: "ByteLevel" }])],
  ["llama-bpe", json([splitBy(LLAMA3), BYTES], true)],
  ["dbrx", json([splitBy(LLAMA3), BYTES])],
  ["qwen2", json([splitBy(LLAMA3.replace("{1,3}", "")), BYTES])],
  ["qwen2", json([{ ...splitBy(LLAMA3.replace("{1,3}", "")), behavior: "Removed", invert: true }, BYTES])],
])("%s is found by its regexes", (name, tokenizer) => expect(ggufPreTokenizer(tokenizer)).toBe(name));

test.each<[string, PartJson]>([
  ["a regex that llama.cpp does not have", splitBy("\\w+")],
  ["matches thrown away", { ...splitBy(GPT2_REGEX), behavior: "Removed" }],
  ["a prefixed space", { type: "ByteLevel", add_prefix_space: true }],
  ["another kind of cut", { type: "Whitespace" }],
])("%s has no name", (_, part) => expect(ggufPreTokenizer(json([part, BYTES]))).toBeUndefined());

test("a name gives the regexes that it is found by", () => {
  const { regexes, ignoreMerges } = preTokenizerNamed("tekken", "x.gguf");
  expect(ggufPreTokenizer(json([...regexes.map(splitBy), BYTES], ignoreMerges))).toBe("tekken");
});
