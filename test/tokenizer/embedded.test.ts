import { expect, test } from "vitest";
import { checkEmbedded } from "../../src/tokenizer/embedded.ts";
import { createTokenizer } from "../../src/tokenizer/tokenizer.ts";

const added = { content: "<pad>", single_word: false, lstrip: false, rstrip: false, special: true };
const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
const model = { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] };
const specialTokens = { bosTokenId: undefined, eosTokenIds: [] };
const json = { ...parts, added_tokens: [{ id: 2, ...added }], model };
const tokenizer = createTokenizer({ json, config: {}, specialTokens }, "folder");

test("a text whose tokens all have an embedding passes", () => {
  checkEmbedded(tokenizer.encode("ab"), 2, tokenizer, "x.txt");
  checkEmbedded(tokenizer.encode("a<pad>"), 3, tokenizer, "x.txt");
});

test("a token without one is named with its id", () => {
  expect(() => checkEmbedded(tokenizer.encode("a<pad>"), 2, tokenizer, "x.txt")).toThrow(
    'x.txt has the token "<pad>" (id 2), for which the model has no embedding: it has 2',
  );
});
