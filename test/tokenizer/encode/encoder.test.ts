// Token ids against the Rust library huggingface/tokenizers: test/fixtures/make-tokenizers.py has written what it gives.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createEncoder } from "../../../src/tokenizer/encode/encoder.ts";
import type { ModelJson, TokenizerJson } from "../../../src/tokenizer/tokenizer-json.ts";

interface Fixture {
  readonly texts: readonly string[];
  readonly models: Readonly<Record<string, ModelJson>>;
  readonly cases: readonly (Pick<TokenizerJson, "normalizer" | "pre_tokenizer" | "added_tokens"> & {
    readonly name: string;
    readonly model: string;
    readonly settings: object;
    /** Of each text, null where the Rust library fails. */
    readonly ids: readonly (string | null)[];
  })[];
}

const FIXTURE = join(import.meta.dirname, "../../fixtures/tokenizers.json");
const { texts, models, cases } = JSON.parse(readFileSync(FIXTURE, "utf8")) as Fixture;

describe.each(cases.map((row) => [row.name, row] as const))("%s", (_, { model, settings, ids, ...parts }) => {
  const encode = createEncoder({
    ...parts,
    post_processor: null,
    decoder: null,
    model: { ...models[model]!, ...settings },
  });

  test.each(texts.flatMap((text, i) => (ids[i] === null ? [] : [[JSON.stringify(text), text, ids[i]!] as const])))(
    "%s",
    (_name, text, expected) => expect(encode(text).join(" ")).toBe(expected),
  );
});
