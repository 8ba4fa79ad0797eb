// The name that llama.cpp has for the pre-tokenizer of a byte-level tokenizer.json, found by its regexes.
import { GPT2_REGEX } from "../byte-level-regex.ts";
import { CONTRACTIONS, LOWER, nameOfPreTokenizer, UPPER } from "../from-gguf/pre-tokenizers.ts";
import type { PreTokenizerJson, TokenizerJson } from "../tokenizer-json.ts";

/** What model makers write, and what llama.cpp has in its place. */
const SPELLINGS: readonly (readonly [theirs: string, ours: string])[] = [
  ["(?i:'s|'t|'re|'ve|'m|'ll|'d)", `(?:${CONTRACTIONS})`],
  ["[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]", UPPER],
  ["[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]", LOWER],
];

/** The name; undefined when llama.cpp has none for these regexes. */
export function ggufPreTokenizer({ pre_tokenizer, model }: TokenizerJson): string | undefined {
  const regexes = pre_tokenizer === null ? undefined : regexesOf(pre_tokenizer);
  return regexes && nameOfPreTokenizer(regexes.map(llamaSpelling), model.ignore_merges === true);
}

const llamaSpelling = (regex: string): string =>
  SPELLINGS.reduce((text, [theirs, ours]) => text.replaceAll(theirs, ours), regex);

/** The regexes that cut a text one after the other; undefined when it is also cut in other ways. */
function regexesOf(part: PreTokenizerJson): string[] | undefined {
  switch (part.type) {
    case "Sequence": {
      const members = (part.pretokenizers as PreTokenizerJson[]).map(regexesOf);
      return members.every((member) => member !== undefined) ? members.flat() : undefined;
    }
    case "Split":
      return splitRegex(part);
    case "Digits":
      return [part.individual_digits === true ? "\\p{N}" : "\\p{N}+"];
    case "ByteLevel":
      if (part.add_prefix_space === true) return undefined;
      return part.use_regex === false ? [] : [GPT2_REGEX];
    default:
      return undefined;
  }
}

/** Keeping the matches as pieces, or removing what lies between them, is the same where the regex matches everything. */
function splitRegex({ pattern, behavior, invert }: PreTokenizerJson): string[] | undefined {
  const { Regex: regex } = pattern as { Regex?: string };
  const isolates = behavior === "Isolated" || (behavior === "Removed" && invert === true);
  return regex !== undefined && isolates ? [regex] : undefined;
}
