// Text ↔ token ids: what tokenizer.json describes, whichever kind of checkpoint it comes from.
// A GGUF vocabulary has become the same two JSON objects (gguf/from-gguf.ts) before it gets here.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import { createEncoder } from "./encode/encoder.ts";
import { ggufWarnings } from "./gguf/vocabulary.ts";
import { createDecoder } from "./library.ts";
import { addsBos } from "./post-processor.ts";
import { isPieceList, type TokenizerJson, type TokenizerSource } from "./tokenizer-json.ts";
import { readTokenizerSource } from "./tokenizer-source.ts";

export interface Tokenizer {
  /** Token ids of a text; no special token is added, those written in the text are recognised. */
  encode(text: string): number[];
  /** Text of token ids; special tokens and ids outside the vocabulary are left out. */
  decode(ids: readonly number[]): string;
  /** A token as the vocabulary has it; undefined for an id that no token has. */
  token(id: number): string | undefined;
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
 * @throws {CompError} "checkpoint" when there is none, or one whose ids would not be exactly those of huggingface/tokenizers
 */
export async function openTokenizer(checkpoint: Checkpoint): Promise<Tokenizer> {
  try {
    return createTokenizer(await readTokenizerSource(checkpoint), checkpoint.name);
  } catch (cause) {
    // its files are untrusted: where a list should be, there may be anything
    throw cause instanceof CompError ? cause : unusable(checkpoint.name, cause);
  }
}

/** What of a checkpoint's tokenizer is a guess, known without making it. */
export const tokenizerWarnings = (checkpoint: Checkpoint): readonly string[] =>
  checkpoint.format === "gguf" ? ggufWarnings(checkpoint) : [];

/** @param name the checkpoint's, for messages @throws {CompError} "checkpoint" as `openTokenizer` */
export function createTokenizer(source: TokenizerSource, name: string): Tokenizer {
  const { bosTokenId, eosTokenIds } = source.specialTokens;
  const refuse = (cause: unknown): CompError => unusable(name, cause);
  const { encode, decode, token } = attempt(
    () => ({ encode: createEncoder(source.json), ...createDecoder(source.json, source.config) }),
    refuse,
  );
  return {
    encode: (text) => attempt(() => encode(text), refuse),
    decode,
    token,
    bosTokenId,
    eosTokenIds,
    addsBos: addsBos(source),
    vocabSize: vocabSizeOf(source.json),
  };
}

function attempt<T>(action: () => T, refuse: (cause: unknown) => CompError): T {
  try {
    return action();
  } catch (cause) {
    throw refuse(cause);
  }
}

function unusable(name: string, cause: unknown): CompError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CompError("checkpoint", `${name}: the tokenizer cannot be used: ${reason}`, {
    hint: "wrong token ids would spoil everything that follows; take a model whose tokenizer.json is supported.",
    cause,
  });
}

function vocabSizeOf(json: TokenizerJson): number {
  const { vocab } = json.model;
  const ids = isPieceList(vocab) ? [vocab.length - 1] : Object.values(vocab);
  return [...ids, ...json.added_tokens.map((token) => token.id)].reduce((size, id) => Math.max(size, id + 1), 0);
}
