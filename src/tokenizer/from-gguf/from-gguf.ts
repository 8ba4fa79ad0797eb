// A GGUF file's vocabulary as the JSON objects of a Hugging Face tokenizer, whose ids are those of llama.cpp.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import type { TokenizerSource } from "../tokenizer-json.ts";
import { byteLevelTokenizerJson } from "./byte-level-bpe.ts";
import { preTokenizerNamed } from "./pre-tokenizers.ts";
import { sentencePieceTokenizerJson } from "./sentencepiece-bpe.ts";
import { type GgufVocabulary, readGgufVocabulary } from "./vocabulary.ts";

/** @throws {CompError} "checkpoint" when the vocabulary is absent, damaged or of an unknown kind */
export function tokenizerFromGguf(checkpoint: Pick<Checkpoint, "name" | "metadata">): TokenizerSource {
  const vocabulary = readGgufVocabulary(checkpoint);
  const { bosTokenId, eosTokenId, eotTokenId } = vocabulary;
  const specialTokens = { bosTokenId, eosTokenIds: defined([eosTokenId, eotTokenId]) };
  if (vocabulary.model === "llama") {
    const addsBos = vocabulary.addBosToken ?? true;
    const json = sentencePieceTokenizerJson(vocabulary, addsBos);
    return { json, config: tokenizerConfig(vocabulary, addsBos), specialTokens };
  }
  const preTokenizer = preTokenizerNamed(vocabulary.pre, vocabulary.name);
  const addsBos = vocabulary.addBosToken ?? preTokenizer.addsBos ?? false;
  const json = byteLevelTokenizerJson(vocabulary, preTokenizer, addsBos);
  return { json, config: tokenizerConfig(vocabulary, addsBos), specialTokens };
}

/** tokenizer_config.json for transformers' PreTrainedTokenizerFast; what the file does not say is left out. */
function tokenizerConfig(vocabulary: GgufVocabulary, addsBos: boolean): Record<string, unknown> {
  const token = (id: number | undefined): string | undefined => (id === undefined ? undefined : vocabulary.tokens[id]);
  const entries = {
    tokenizer_class: "PreTrainedTokenizerFast",
    add_bos_token: addsBos && vocabulary.bosTokenId !== undefined,
    add_eos_token: vocabulary.addEosToken,
    bos_token: token(vocabulary.bosTokenId),
    eos_token: token(vocabulary.eosTokenId),
    unk_token: token(vocabulary.unknownTokenId),
    pad_token: token(vocabulary.paddingTokenId),
    clean_up_tokenization_spaces: false,
    model_max_length: vocabulary.contextLength,
    chat_template: vocabulary.chatTemplate,
  };
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}

function defined(ids: readonly (number | undefined)[]): number[] {
  return [...new Set(ids.filter((id) => id !== undefined))];
}
