// Pre-tokenizers of tokenizer.json: they cut a normalized text into the pieces that the model tokenizes one by one.
// Rules: huggingface/tokenizers, tokenizers/src/pre_tokenizers/
import { compilePattern } from "../library.ts";
import { GPT2_REGEX, type PartJson } from "../tokenizer-json.ts";
import { bytesAsLetters } from "./bytes.ts";
import { type Behavior, cutBy, parseBehavior } from "./cut.ts";

export interface Piece {
  readonly text: string;
  /** Whether it begins where the whole text began. */
  readonly first: boolean;
}

/** Token ids of the text of a piece. */
export type EncodePiece = (text: string) => readonly number[];

export type PreTokenize = (piece: Piece) => Piece[];

const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const WORDS_OR_MARKS = new RegExp(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, "gu");
const SPACE = /\p{White_Space}/gu;
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/gu;
const DIGIT = /\p{N}/gu;

/** @throws {Error} naming a pre-tokenizer that is not known */
export function createPreTokenizer(part: PartJson): PreTokenize {
  switch (part.type) {
    case "Sequence": {
      const members = (part.pretokenizers as PartJson[]).map(createPreTokenizer);
      return (piece) => members.reduce<Piece[]>((pieces, cut) => pieces.flatMap(cut), [piece]);
    }
    case "ByteLevel":
      return byteLevel(part);
    case "Metaspace":
      return metaspace(part);
    case "Split":
      return cutting(compilePattern(part.pattern), parseBehavior(part.behavior), part.invert === true);
    case "Digits":
      return cutting(DIGIT, part.individual_digits === true ? "Isolated" : "Contiguous");
    case "Punctuation":
      return cutting(PUNCTUATION, parseBehavior(part.behavior ?? "Isolated"));
    case "Whitespace":
      return cutting(WORDS_OR_MARKS, "Removed", true);
    case "WhitespaceSplit":
      return cutting(SPACE, "Removed");
    case "CharDelimiterSplit":
      return cutting(compilePattern({ String: part.delimiter }), "Removed");
    case "BertPreTokenizer": {
      const [words, marks] = [cutting(SPACE, "Removed"), cutting(PUNCTUATION, "Isolated")];
      return (piece) => words(piece).flatMap(marks);
    }
    default:
      throw new Error(`its pre-tokenizer ${String(part.type)} is not supported`);
  }
}

const cutting =
  (regex: RegExp, behavior: Behavior, invert = false): PreTokenize =>
  ({ text, first }) =>
    cutBy(text, regex, behavior, invert).map(({ start, end }) => ({
      text: text.slice(start, end),
      first: first && start === 0,
    }));

function byteLevel({ add_prefix_space: prefixed = true, use_regex: words = true }: PartJson): PreTokenize {
  const cut: PreTokenize =
    words === true ? cutting(compilePattern({ Regex: GPT2_REGEX }), "Isolated") : (piece) => [piece];
  return ({ text, first }) => {
    const whole = prefixed === true && !text.startsWith(" ") ? ` ${text}` : text;
    return cut({ text: whole, first }).map((piece) => ({ ...piece, text: bytesAsLetters(piece.text) }));
  };
}

function metaspace(part: PartJson): PreTokenize {
  const replacement = String(part.replacement ?? "▁");
  const scheme = part.prepend_scheme ?? (part.add_prefix_space === false ? "never" : "always");
  const cut: PreTokenize =
    part.split === false ? (piece) => [piece] : cutting(compilePattern({ String: replacement }), "MergedWithNext");
  return ({ text, first }) => {
    const visible = text.replaceAll(" ", replacement);
    const prepends = scheme === "always" || (scheme === "first" && first);
    return cut({ text: prepends && !visible.startsWith(replacement) ? replacement + visible : visible, first });
  };
}
