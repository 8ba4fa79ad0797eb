// GPT-2's pre-tokenizer regex, spelt out where tokenizer.json only says "ByteLevel with its own regex".
import type { PreTokenizerJson, TokenizerJson } from "./tokenizer-json.ts";

/** @see Radford et al. 2019, encoder.py of the GPT-2 release */
export const GPT2_REGEX = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * The same tokenizer with GPT-2's regex as a Split of its own.
 *
 * The library's built-in copy uses JavaScript's \s, which takes U+FEFF for white space and U+0085 for none; a Split's
 * regex is translated to Unicode's White_Space, as transformers has it.
 */
export function withExactByteLevelRegex(json: TokenizerJson): TokenizerJson {
  return json.pre_tokenizer === null ? json : { ...json, pre_tokenizer: spellOut(json.pre_tokenizer) };
}

function spellOut(preTokenizer: PreTokenizerJson): PreTokenizerJson {
  if (preTokenizer.type === "Sequence") {
    const parts = preTokenizer.pretokenizers as PreTokenizerJson[];
    return { type: "Sequence", pretokenizers: parts.map(spellOut) };
  }
  const usesRegex = preTokenizer.type === "ByteLevel" && preTokenizer.use_regex !== false;
  // A prefix space goes before the split: then the library's own order has to stand.
  if (!usesRegex || preTokenizer.add_prefix_space === true) return preTokenizer;
  const bytes = { ...preTokenizer, use_regex: false };
  return { type: "Sequence", pretokenizers: [splitBy(GPT2_REGEX), bytes] };
}

/** A pre-tokenizer that makes each match, and each stretch between matches, a piece of its own. */
export function splitBy(regex: string): PreTokenizerJson {
  return { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false };
}
