// @huggingface/tokenizers as this project uses it: for regexes of tokenizer.json in JavaScript's syntax, and for decoding. Its
// encoding departs from the Rust library in too many places (encode/ has it instead). Types are of our own, because the package's
// declarations import one another without file endings, which Node's module resolution does not find.
import * as library from "@huggingface/tokenizers";
import { isObject, isPieceList, type ModelJson, type TokenizerJson } from "./tokenizer-json.ts";

interface LibraryTokenizer {
  /** @throws {Error} when there are no ids */
  decode(ids: number[], options?: { skip_special_tokens?: boolean; clean_up_tokenization_spaces?: boolean }): string;
  id_to_token(id: number): string | undefined;
}

const Tokenizer = library.Tokenizer as unknown as new (json: object, config: object) => LibraryTokenizer;
const { SplitPreTokenizer: Split } = library as unknown as {
  SplitPreTokenizer: new (config: object) => { readonly pattern: RegExp };
};

/** {"Regex": ...} in Oniguruma's syntax or {"String": ...} as a global regex. @throws {Error} for any other pattern */
export function compilePattern(pattern: unknown): RegExp {
  const { Regex: regex, String: text } = isObject(pattern) ? pattern : {};
  if (typeof (regex ?? text) !== "string" || text === "")
    throw new Error(`its pattern ${JSON.stringify(pattern)} is not supported`);
  const split = new Split({ pattern, behavior: "Isolated", invert: false });
  return split.pattern;
}

/** From token ids back to text. */
export interface Decoder {
  /** Text of token ids; special tokens and ids outside the vocabulary are left out. */
  decode(ids: readonly number[]): string;
  /** A token as the vocabulary has it. */
  token(id: number): string | undefined;
}

/** @throws {Error} naming a decoder that is not known */
export function createDecoder(json: TokenizerJson, config: Readonly<Record<string, unknown>>): Decoder {
  const { added_tokens, decoder, model } = json;
  const parts = { normalizer: null, pre_tokenizer: null, post_processor: null };
  const tokenizer = new Tokenizer({ added_tokens, decoder, ...parts, model: namesOnly(model) }, config);
  const options = {
    skip_special_tokens: true,
    clean_up_tokenization_spaces: config.clean_up_tokenization_spaces === true,
  };
  return {
    decode: (ids) => {
      const known = ids.filter((id) => tokenizer.id_to_token(id) !== undefined);
      return known.length === 0 ? "" : tokenizer.decode(known, options);
    },
    token: (id) => tokenizer.id_to_token(id),
  };
}

/** All that decoding asks of a model. */
function namesOnly({ vocab, unk_token, end_of_word_suffix }: ModelJson): object {
  const names = isPieceList(vocab) ? Object.fromEntries(vocab.map(([piece], id) => [piece, id])) : vocab;
  return { type: "BPE", vocab: names, merges: [], unk_token, end_of_word_suffix };
}
