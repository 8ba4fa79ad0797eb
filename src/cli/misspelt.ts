// Misspelt words: the error that they are, and the word that each was most likely meant to be.
import { CompError } from "../errors.ts";

interface Known {
  readonly words: readonly string[];
  /** What stands before a word where it is suggested. */
  readonly prefix?: string;
  /** The hint where no word is close. */
  readonly otherwise: string;
}

/** An error for a word that is none of those known; the hint asks for the one that was most likely meant. */
export function unknownWord(
  kind: "command" | "flag",
  word: string,
  { words, prefix = "", otherwise }: Known,
): CompError {
  const meant = nearest(word, words);
  const hint = meant === undefined ? otherwise : `did you mean ${prefix}${meant}?`;
  return new CompError("option", `there is no ${kind} ${word}`, { hint });
}

/** The closest of `words` by edit distance, or undefined when none is close. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const limit = Math.max(2, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of words) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Levenshtein's distance: insertions, deletions and substitutions of one character each. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++)
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    previous = row;
  }
  return previous[b.length]!;
}
