// A GGUF file's vocabulary as the JSON objects of a Hugging Face tokenizer, whose ids are those of llama.cpp.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { CompError } from "../../errors.ts";
import { type AddedTokenJson, splitBy, type TokenizerJson, type TokenizerSource } from "../tokenizer-json.ts";
import { type GgufPreTokenizer, preTokenizerNamed } from "./pre-tokenizers.ts";
import { sentencePieceModel } from "./sentencepiece-model.ts";
import { type GgufVocabulary, readGgufVocabulary, SPACE, TOKEN_TYPE } from "./vocabulary.ts";

/** @throws {CompError} "checkpoint" when the vocabulary is absent, damaged or of an unknown kind */
export function tokenizerFromGguf(checkpoint: Pick<Checkpoint, "name" | "metadata">): TokenizerSource {
  const vocabulary = readGgufVocabulary(checkpoint);
  const { bosTokenId, eosTokenId, eotTokenId } = vocabulary;
  const specialTokens = { bosTokenId, eosTokenIds: defined([eosTokenId, eotTokenId]) };
  if (vocabulary.model === "llama") {
    const addsBos = vocabulary.addBosToken ?? true;
    const json = sentencePieceTokenizerJson(vocabulary, addsBos);
    const config = { ...tokenizerConfig(vocabulary, addsBos), ...besideSentencePiece(vocabulary, json) };
    return { json, config, specialTokens };
  }
  const preTokenizer = preTokenizerNamed(vocabulary.pre, vocabulary.name);
  const addsBos = vocabulary.addBosToken ?? preTokenizer.addsBos ?? false;
  const json = byteLevelTokenizerJson(vocabulary, preTokenizer, addsBos);
  return { json, config: tokenizerConfig(vocabulary, addsBos), specialTokens };
}

/** The files of a Hugging Face folder that make the same tokenizer, by name. @throws {CompError} "checkpoint" as above */
export function tokenizerFiles(checkpoint: Pick<Checkpoint, "name" | "metadata">): Map<string, string | Uint8Array> {
  const { json, config } = tokenizerFromGguf(checkpoint);
  const vocabulary = readGgufVocabulary(checkpoint);
  const model = vocabulary.model === "llama" ? sentencePieceModel(vocabulary) : undefined;
  const render = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
  return new Map<string, string | Uint8Array>([
    ["tokenizer.json", render({ version: "1.0", truncation: null, padding: null, ...json })],
    ["tokenizer_config.json", render(config)],
    ...(model === undefined ? [] : [["tokenizer.model", model] as const]),
  ]);
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

/** What llama.cpp's converter takes from tokenizer_config.json, because tokenizer.model does not say it. */
function besideSentencePiece({ addSpacePrefix }: GgufVocabulary, { added_tokens }: TokenizerJson): object {
  const added = added_tokens.flatMap(({ id, ...token }) => (token.special ? [] : [[id, token] as const]));
  return {
    ...(addSpacePrefix === false && { add_prefix_space: false }),
    ...(added.length > 0 && { added_tokens_decoder: Object.fromEntries(added) }),
  };
}

function defined(ids: readonly (number | undefined)[]): number[] {
  return [...new Set(ids.filter((id) => id !== undefined))];
}

/**
 * Kind "gpt2": words by regex, their bytes as letters, merged by rank.
 * @throws {CompError} "checkpoint" when a merge names a piece that is no token
 */
function byteLevelTokenizerJson(
  vocabulary: GgufVocabulary,
  preTokenizer: GgufPreTokenizer,
  addsBos: boolean,
): TokenizerJson {
  const vocab = Object.fromEntries(vocabulary.tokens.map((token, id) => [token, id]));
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
  return {
    added_tokens: addedTokens(vocabulary),
    normalizer: null,
    pre_tokenizer: { type: "Sequence", pretokenizers: [...preTokenizer.regexes.map(splitBy), bytes] },
    post_processor: bosTemplate(vocabulary, addsBos),
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: preTokenizer.ignoreMerges ?? false,
      vocab,
      merges: vocabulary.merges.map((merge) => splitMerge(merge, vocab, vocabulary.name)),
    },
  };
}

/** A merge is written with a space between its halves; a half may itself begin with one. */
function splitMerge(merge: string, vocab: Readonly<Record<string, number>>, name: string): [string, string] {
  const space = merge.indexOf(" ", 1);
  const left = merge.slice(0, space);
  const right = merge.slice(space + 1);
  for (const piece of [left, right, left + right]) {
    if (space === -1 || !Object.hasOwn(vocab, piece)) {
      throw new CompError("checkpoint", `${name}: the merge ${JSON.stringify(merge)} is not of tokens`, {
        hint: "download the file again.",
      });
    }
  }
  return [left, right];
}

/** Kind "llama": SentencePiece's BPE, whose merges follow from pieces and scores. */
function sentencePieceTokenizerJson(vocabulary: GgufVocabulary, addsBos: boolean): TokenizerJson {
  const { tokens, unknownTokenId } = vocabulary;
  const prefixed = vocabulary.addSpacePrefix ?? true;
  const unknown = unknownTokenId === undefined ? null : tokens[unknownTokenId]!;
  return {
    added_tokens: addedTokens(vocabulary),
    normalizer: spaceNormalizer(prefixed),
    pre_tokenizer: null,
    post_processor: bosTemplate(vocabulary, addsBos),
    decoder: spaceDecoder(prefixed),
    model: {
      type: "BPE",
      dropout: null,
      unk_token: unknown,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: vocabulary.types.includes(TOKEN_TYPE.byte),
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: mergesOf(vocabulary),
    },
  };
}

function spaceNormalizer(prefixed: boolean): object {
  const replace = { type: "Replace", pattern: { String: " " }, content: SPACE };
  return prefixed ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: SPACE }, replace] } : replace;
}

function spaceDecoder(prefixed: boolean): object {
  const strip = prefixed ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : [];
  const replace = { type: "Replace", pattern: { String: SPACE }, content: " " };
  return { type: "Sequence", decoders: [replace, { type: "ByteFallback" }, { type: "Fuse" }, ...strip] };
}

/**
 * Every way to put a piece together from two others, best piece first.
 *
 * SentencePiece joins the pair whose union scores best, the leftmost first among equals. Ranks cannot express
 * "leftmost" between two ways to the same piece; but those overlap in runs of one character only, which are joined from
 * the left, so that the longer half stands on the left.
 */
function mergesOf({ tokens, types, scores }: GgufVocabulary): [string, string][] {
  const pieces = new Set(tokens);
  const joined = tokens.map((_, id) => id).filter((id) => types[id] !== TOKEN_TYPE.control);
  joined.sort((a, b) => scores[b]! - scores[a]! || a - b);
  return joined.flatMap((id) => splits(tokens[id]!, pieces));
}

/** The piece cut in two in each way that leaves two pieces, longest left half first. */
function splits(piece: string, pieces: ReadonlySet<string>): [string, string][] {
  const found: [string, string][] = [];
  for (let cut = piece.length - 1; cut > 0; cut--) {
    const left = piece.slice(0, cut);
    const right = piece.slice(cut);
    if (pieces.has(left) && pieces.has(right)) found.push([left, right]);
  }
  return found;
}

/** Control tokens and the unknown token are special: left out of decoded text. User-defined ones are text. */
function addedTokens({ tokens, types }: GgufVocabulary): AddedTokenJson[] {
  return tokens.flatMap((content, id) => {
    const special = types[id] === TOKEN_TYPE.control || types[id] === TOKEN_TYPE.unknown;
    if (!special && types[id] !== TOKEN_TYPE.userDefined) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
  });
}

/** The post-processor of tokenizer.json for one text and for a pair of texts. */
function bosTemplate(vocabulary: GgufVocabulary, addsBos: boolean): object {
  const { tokens, bosTokenId, eosTokenId, addEosToken } = vocabulary;
  const bos = addsBos && bosTokenId !== undefined ? [tokens[bosTokenId]!] : [];
  const eos = addEosToken === true && eosTokenId !== undefined ? [tokens[eosTokenId]!] : [];
  const part = (id: "A" | "B", type_id: number): object[] => [
    ...bos.map((token) => ({ SpecialToken: { id: token, type_id } })),
    { Sequence: { id, type_id } },
    ...eos.map((token) => ({ SpecialToken: { id: token, type_id } })),
  ];
  const used = [...bos, ...eos].map((token) => [token, { id: token, ids: [tokens.indexOf(token)], tokens: [token] }]);
  return {
    type: "TemplateProcessing",
    single: part("A", 0),
    pair: [...part("A", 0), ...part("B", 1)],
    special_tokens: Object.fromEntries(used),
  };
}
