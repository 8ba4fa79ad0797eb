// Token ids against the Rust library huggingface/tokenizers: test/fixtures/make-tokenizers.py has written what it gives.
import { describe, expect, test } from "vitest";
import { createEncoder } from "../../../src/tokenizer/encode/encoder.ts";
import { tokenizerTexts as texts, tokenizerCases } from "../../helpers/tokenizer-cases.ts";

describe.each(tokenizerCases.map((row) => [row.name, row] as const))("%s", (_, { json, ids }) => {
  const encode = createEncoder(json);

  test.each(texts.flatMap((text, i) => (ids[i] === null ? [] : [[JSON.stringify(text), text, ids[i]!] as const])))(
    "%s",
    (_name, text, expected) => expect(encode(text).join(" ")).toBe(expected),
  );
});
