// Long stretches of text cut where no token can reach across, so that BPE works on words and its cache is of use.
// SentencePiece-style tokenizers have no pre-tokenizer: BPE would put a whole book into one priority queue.

/** Pieces up to this length go to BPE as they are. */
const SHORT = 16;

/**
 * Cuts between any two characters that are adjacent in no piece of the vocabulary.
 *
 * Every merge makes a piece of the vocabulary. One that reached across such a cut would hold the two characters side by
 * side, so there is none, and the two sides never touch: the ids are those of the uncut text.
 *
 * @param keepsTogether characters that are not to be parted from others of the kind all the same
 */
export function safeCuts(vocab: object, keepsTogether: (character: string) => boolean): (piece: string) => string[] {
  let adjacent: Set<string> | undefined; // made when the first long piece arrives: a word-wise tokenizer has none
  return (piece) => {
    if (piece.length <= SHORT) return [piece];
    adjacent ??= adjacentCharacters(Object.keys(vocab));
    const pairs = adjacent;
    return cutBetween(piece, (left, right) => pairs.has(left + right) || (keepsTogether(left) && keepsTogether(right)));
  };
}

/** The text cut between each two characters that do not belong together. */
function cutBetween(text: string, belongTogether: (left: string, right: string) => boolean): string[] {
  const parts: string[] = [];
  let start = 0;
  let position = 0;
  let previous = "";
  for (const character of text) {
    if (position > 0 && !belongTogether(previous, character)) {
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
