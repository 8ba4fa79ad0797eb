// What this project uses of @huggingface/tokenizers, typed here: the package's own declarations import one another
// without file endings, which Node's module resolution does not find.
import * as library from "@huggingface/tokenizers";
import type { TokenizerJson } from "./tokenizer-json.ts";

/** Cuts a text into the pieces that the model tokenizes one by one. */
export type PreTokenize = (text: string, options?: object) => string[];

export interface LibraryTokenizer {
  pre_tokenizer: PreTokenize | null;
  encode(text: string, options?: { add_special_tokens?: boolean }): { ids: number[] };
  /** @throws {Error} when there are no ids */
  decode(ids: number[], options?: { skip_special_tokens?: boolean; clean_up_tokenization_spaces?: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
}

type Constructor = new (json: TokenizerJson, config: object) => LibraryTokenizer;

export const LibraryTokenizer: Constructor = library.Tokenizer as unknown as Constructor;
