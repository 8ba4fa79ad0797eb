// Text ↔ token ids: tokenizer.json run by @huggingface/tokenizers, whichever kind of checkpoint it comes from.
// The GGUF vocabulary becomes the same two JSON objects in from-gguf/; this file knows nothing of it.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import { withExactByteLevelRegex } from "./byte-level-regex.ts";
import { LibraryTokenizer } from "./library.ts";
import { cuttingSafely } from "./split-long-text.ts";
import { isPieceList, type ModelJson, type TokenizerJson, type TokenizerSource } from "./tokenizer-json.ts";
import { readTokenizerSource } from "./tokenizer-source.ts";

export interface Tokenizer {
  /** Token ids of a text; no special token is added, those written in the text are recognised. */
  encode(text: string): number[];
  /** Text of token ids; special tokens and ids outside the vocabulary are left out. */
  decode(ids: readonly number[]): string;
  readonly bosTokenId: number | undefined;
  /** Every id that ends a generated text, as the tokenizer and generation_config.json name them. */
  readonly eosTokenIds: readonly number[];
  /** Whether the model's own tokenizer prepends BOS by itself. */
  readonly addsBos: boolean;
  /** One more than the largest token id; the model's embedding may have more rows. */
  readonly vocabSize: number;
}

/**
 * The tokenizer of a checkpoint: tokenizer.json of a folder, or the vocabulary in a GGUF header.
 *
 * @throws {CompError} "checkpoint" when there is none, or one that the library cannot read
 */
export async function openTokenizer(checkpoint: Checkpoint): Promise<Tokenizer> {
  const source = await readTokenizerSource(checkpoint);
  const library = createLibraryTokenizer(source, checkpoint.name);
  const { bosTokenId, eosTokenIds } = source.specialTokens;
  return {
    encode: (text) => library.encode(text, { add_special_tokens: false }).ids,
    decode: (ids) => decode(library, ids, source.config),
    bosTokenId,
    eosTokenIds,
    addsBos: bosTokenId !== undefined && prependsBos(library, bosTokenId, source.config),
    vocabSize: vocabSizeOf(source.json),
  };
}

function createLibraryTokenizer({ json, config }: TokenizerSource, name: string): LibraryTokenizer {
  try {
    const library = new LibraryTokenizer(withExactByteLevelRegex(json), config);
    if (isPlainBpe(json.model)) library.pre_tokenizer = cuttingSafely(library.pre_tokenizer, json.model.vocab);
    return library;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CompError("checkpoint", `${name}: the tokenizer cannot be used: ${reason}`, {
      hint: "load the model with transformers' AutoTokenizer and save it again with save_pretrained.",
      cause,
    });
  }
}

/** BPE whose pieces are the text itself: none is marked as the beginning or the end of a word. */
function isPlainBpe(model: ModelJson): boolean {
  return model.type === "BPE" && !model.end_of_word_suffix && !model.continuing_subword_prefix;
}

function decode(library: LibraryTokenizer, ids: readonly number[], config: Record<string, unknown>): string {
  const known = ids.filter((id) => library.id_to_token(id) !== undefined);
  if (known.length === 0) return "";
  const cleanUp = config.clean_up_tokenization_spaces === true;
  return library.decode(known, { skip_special_tokens: true, clean_up_tokenization_spaces: cleanUp });
}

/** transformers rebuilds the template when add_bos_token is given, so the flag outranks tokenizer.json. */
function prependsBos(library: LibraryTokenizer, bosTokenId: number, config: Record<string, unknown>): boolean {
  const flag = config.add_bos_token;
  if (typeof flag === "boolean") return flag;
  const plain = library.encode("a", { add_special_tokens: false }).ids;
  const asModelSees = library.encode("a").ids;
  return asModelSees.length > plain.length && asModelSees[0] === bosTokenId;
}

function vocabSizeOf(json: TokenizerJson): number {
  const { vocab } = json.model;
  const ids = isPieceList(vocab) ? [vocab.length - 1] : Object.values(vocab);
  return [...ids, ...json.added_tokens.map((token) => token.id)].reduce((size, id) => Math.max(size, id + 1), 0);
}
