// A GGUF vocabulary of kind "gpt2" as tokenizer.json: words by regex, their bytes as letters, merged by rank.
import { CompError } from "../../errors.ts";
import { splitBy } from "../byte-level-regex.ts";
import type { TokenizerJson } from "../tokenizer-json.ts";
import { addedTokens, bosTemplate } from "./added-tokens.ts";
import type { GgufPreTokenizer } from "./pre-tokenizers.ts";
import type { GgufVocabulary } from "./vocabulary.ts";

/** @throws {CompError} "checkpoint" when a merge names a piece that is no token */
export function byteLevelTokenizerJson(
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
