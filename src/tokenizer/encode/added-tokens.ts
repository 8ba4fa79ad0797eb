// Finds a tokenizer's added tokens in a text: those of the text as it is written, and those of the normalized text.
// Rules: huggingface/tokenizers, tokenizers/src/tokenizer/added_vocabulary.rs
import type { AddedTokenJson } from "../tokenizer-json.ts";
import { Trie } from "./trie.ts";

/** A stretch of text; `id` where it is an added token. */
export interface Section {
  readonly text: string;
  readonly id: number | undefined;
  /** Where it begins in the text that was cut. */
  readonly start: number;
}

/** Cuts a text into added tokens and what lies between them; no section is empty. */
export type CutSections = (text: string) => Section[];

const WORD_AT_END = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WORD_AT_START = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const SPACE_AT_END = /\p{White_Space}*$/u;
const SPACE_AT_START = /^\p{White_Space}*/u;
/** Characters that are looked at for the end of a word, a surrogate pair at most. */
const ONE_CHARACTER = 2;

/** @param contentOf the token as it stands in the text: normalized, for tokens that are looked for after the normalizer */
export function sectionCutter(
  tokens: readonly AddedTokenJson[],
  contentOf: (token: AddedTokenJson) => string,
): CutSections {
  const trie = new Trie();
  tokens.forEach((token, index) => {
    const content = contentOf(token);
    if (content !== "") trie.add(content, index);
  });
  if (tokens.length === 0) return (text) => (text === "" ? [] : [{ text, id: undefined, start: 0 }]);
  return (text) => cut(text, tokens, trie);
}

function cut(text: string, tokens: readonly AddedTokenJson[], trie: Trie): Section[] {
  const sections: Section[] = [];
  let done = 0;
  const push = (start: number, end: number, id: number | undefined): void => {
    if (end > start) sections.push({ text: text.slice(start, end), id, start });
  };
  let position = 0;
  while (position < text.length) {
    const match = longestAt(text, position, trie);
    if (match === undefined) {
      position++;
      continue;
    }
    const token = tokens[match.index]!;
    position = match.end;
    const extent = extentOf(text, match.start, match.end, token);
    if (extent === undefined) continue;
    // white space that the token before has taken along is not taken again; a token in it is found all the same
    const start = token.lstrip ? Math.max(extent.start, done) : extent.start;
    push(done, start, undefined);
    push(start, extent.end, token.id);
    done = extent.end;
  }
  push(done, text.length, undefined);
  return sections;
}

function longestAt(text: string, start: number, trie: Trie): { start: number; end: number; index: number } | undefined {
  let longest: { start: number; end: number; index: number } | undefined;
  trie.matchesAt(text, start, (end, index) => {
    longest = { start, end, index };
  });
  return longest;
}

/** The token with the white space that it takes along; undefined where it may only be a whole word and is none. */
function extentOf(
  text: string,
  start: number,
  end: number,
  token: AddedTokenJson,
): { start: number; end: number } | undefined {
  if (token.single_word) {
    const touchesWord =
      WORD_AT_END.test(text.slice(Math.max(0, start - ONE_CHARACTER), start)) ||
      WORD_AT_START.test(text.slice(end, end + ONE_CHARACTER));
    if (touchesWord) return undefined;
  }
  const before = token.lstrip ? SPACE_AT_END.exec(lastSpaces(text, start))![0].length : 0;
  const after = token.rstrip ? SPACE_AT_START.exec(text.slice(end))![0].length : 0;
  return { start: start - before, end: end + after };
}

/** The white space before a place, with at most one more character: a regex anchored at the end looks at all it is given. */
function lastSpaces(text: string, end: number): string {
  let start = end;
  while (start > 0 && /\p{White_Space}/u.test(text[start - 1]!)) start--;
  return text.slice(start, end);
}
