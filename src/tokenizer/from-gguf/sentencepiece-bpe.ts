// A GGUF vocabulary of kind "llama" as tokenizer.json: SentencePiece's BPE, whose merges follow from pieces and scores.
import type { TokenizerJson } from "../tokenizer-json.ts";
import { addedTokens, bosTemplate } from "./added-tokens.ts";
import { type GgufVocabulary, TOKEN_TYPE } from "./vocabulary.ts";

/** SentencePiece's visible space, U+2581. */
const SPACE = "▁";

export function sentencePieceTokenizerJson(vocabulary: GgufVocabulary, addsBos: boolean): TokenizerJson {
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
