// Tokenizers of every kind with ids that the Rust library huggingface/tokenizers has given (test/fixtures/make-tokenizers.py).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ModelJson, TokenizerJson } from "../../src/tokenizer/tokenizer-json.ts";

interface Fixture {
  readonly texts: readonly string[];
  readonly models: Readonly<Record<string, ModelJson>>;
  readonly cases: readonly (Pick<TokenizerJson, "normalizer" | "pre_tokenizer" | "added_tokens"> & {
    readonly name: string;
    readonly model: string;
    readonly settings: object;
    readonly ids: readonly (string | null)[];
  })[];
}

export interface TokenizerCase {
  readonly name: string;
  readonly json: TokenizerJson;
  /** Of each text, with blanks between; null where the Rust library fails: a character is unknown, and nothing is for it. */
  readonly ids: readonly (string | null)[];
}

const FIXTURE = join(import.meta.dirname, "../fixtures/tokenizers.json");
const { texts, models, cases } = JSON.parse(readFileSync(FIXTURE, "utf8")) as Fixture;

export const tokenizerTexts = texts;

export const tokenizerCases: readonly TokenizerCase[] = cases.map(({ name, model, settings, ids, ...parts }) => ({
  name,
  json: { ...parts, post_processor: null, decoder: null, model: { ...models[model]!, ...settings } },
  ids,
}));
