import { describe, expect, test } from "vitest";
import { compilePattern, createDecoder } from "../../src/tokenizer/library.ts";
import type { TokenizerJson } from "../../src/tokenizer/tokenizer-json.ts";

describe("a pattern", () => {
  test("knows white space as Unicode does: a byte order mark is none, U+0085 is", () => {
    expect("a\ufeffb\u0085c".split(compilePattern({ Regex: "\\s" }))).toEqual(["a\ufeffb", "c"]);
  });

  test("may be a text", () => expect("a.b".replace(compilePattern({ String: "." }), "-")).toBe("a-b"));

  test("of another kind is an error", () =>
    expect(() => compilePattern({})).toThrow("its pattern {} is not supported"));
});

describe("decoding", () => {
  const json: TokenizerJson = {
    added_tokens: [{ id: 2, content: "<s>", single_word: false, lstrip: false, rstrip: false, special: true }],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: "Metaspace", replacement: "▁" },
    model: { type: "Unigram", vocab: [["▁a", 0] as const, ["▁b", -1] as const] },
  };
  const { decode, token } = createDecoder(json, {});

  test("leaves out special tokens and ids that no token has", () => expect(decode([2, 0, 7, 1])).toBe("a b"));

  test("names every token", () => expect([0, 2, 7].map(token)).toEqual(["▁a", "<s>", undefined]));

  test("of an unknown kind is an error", () => {
    expect(() => createDecoder({ ...json, decoder: { type: "Nonsense" } }, {})).toThrow("Nonsense");
  });
});
