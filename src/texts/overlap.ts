// Whether a model is judged on passages that it was calibrated on: runs of words that two texts share.

/** So many words in a row hardly ever recur by chance; GPT-3's authors looked for contamination by as many. */
export const PASSAGE_WORDS = 13;

/** Quotations and boilerplate recur in any two texts; above this share the figures are in doubt. */
export const NOTABLE_SHARE = 0.01;

/** Runs of letters and digits; in scripts without spaces single characters. */
const WORD =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]|(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}])[\p{L}\p{M}\p{N}])+/gu;

/**
 * The share of a judged text's passages of 13 words that occur in the calibration text too, case and punctuation aside; 0 for a
 * text of fewer words. Memory grows with the judged text alone.
 */
export function sharedPassages(judged: string, calibration: string): number {
  const passages = new Map<string, number>();
  const known = new Set<string>();
  let total = 0;
  for (const words of passagesOf(judged)) {
    const key = words.join(" ");
    passages.set(key, (passages.get(key) ?? 0) + 1);
    for (const word of words) known.add(word);
    total++;
  }
  let shared = 0;
  for (const words of passagesOf(calibration, known)) {
    const key = words.join(" ");
    shared += passages.get(key) ?? 0;
    passages.delete(key);
  }
  return total === 0 ? 0 : shared / total;
}

/** A text as one string, and what to call it. */
export interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** The warning for a judged text that shares notably many passages with a calibration text. */
export function overlapWarning(judged: NamedText, calibration: NamedText): string | undefined {
  const share = sharedPassages(judged.text, calibration.text);
  if (share <= NOTABLE_SHARE) return undefined;
  return `${(100 * share).toFixed(1)} % of the passages judged in ${judged.name} occur in the calibration text ${calibration.name} too: figures on it flatter the pruned models`;
}

/** The words of a text, in lower case. */
export function* wordsOf(text: string): Generator<string> {
  for (const [found] of text.matchAll(WORD)) yield found.toLowerCase();
}

/** Every run of 13 words; of `known` ones alone where given, since no other can be found again. The array is reused. */
function* passagesOf(text: string, known?: ReadonlySet<string>): Generator<readonly string[]> {
  const last: string[] = [];
  for (const word of wordsOf(text)) {
    if (known && !known.has(word)) {
      last.length = 0;
      continue;
    }
    last.push(word);
    if (last.length > PASSAGE_WORDS) last.shift();
    if (last.length === PASSAGE_WORDS) yield last;
  }
}
