// Long stretches of text cut where no token can reach across, so that BPE works on words and its cache is of use.
// SentencePiece-style tokenizers have no pre-tokenizer: without this a whole book is one priority queue.
import type { PreTokenize } from "./library.ts";

/** Pieces up to this length go to BPE as they are. */
const SHORT = 16;

/**
 * A pre-tokenizer, followed by cuts between any two characters that are adjacent in no piece of the vocabulary.
 *
 * Every merge makes a piece of the vocabulary. One that reached across such a cut would hold the two characters side by
 * side, so there is none, and the two sides never touch: the ids are those of the uncut text.
 */
export function cuttingSafely(inner: PreTokenize | null, vocab: object): PreTokenize {
  let adjacent: Set<string> | undefined; // made when the first long piece arrives: a word-wise tokenizer has none
  const cut = (piece: string): string[] => {
    if (piece.length <= SHORT) return [piece];
    adjacent ??= adjacentCharacters(Object.keys(vocab));
    return cutBetween(piece, adjacent);
  };
  return (text, options) => (inner === null ? [text] : inner(text, options)).flatMap(cut);
}

/** The text cut between each two characters that are not in `adjacent`. */
function cutBetween(text: string, adjacent: ReadonlySet<string>): string[] {
  const parts: string[] = [];
  let start = 0;
  let position = 0;
  let previous = "";
  for (const character of text) {
    if (position > 0 && !adjacent.has(previous + character)) {
      parts.push(text.slice(start, position));
      start = position;
    }
    position += character.length;
    previous = character;
  }
  parts.push(text.slice(start));
  return parts;
}

/** All pairs of characters that stand side by side in some piece. */
function adjacentCharacters(pieces: readonly string[]): Set<string> {
  const pairs = new Set<string>();
  for (const piece of pieces) {
    let previous = "";
    for (const character of piece) {
      if (previous !== "") pairs.add(previous + character);
      previous = character;
    }
  }
  return pairs;
}
