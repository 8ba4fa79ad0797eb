// A sketch of a text's passages, small enough to go along with a model: whether another text shares them is then told without the
// text. Of the hashes of all passages the smallest stay, an even sample whatever the length of the text.
import { NOTABLE_SHARE, PASSAGE_WORDS, wordsOf } from "./overlap.ts";

/** Hashes that stay: some 3.7 kB as base64. */
const KEPT = 700;
/** A hash found again may be a quotation; so many are no accident. */
const LEAST_SHARED = 3;

const PRIME = 0x01000193;
const LARGEST = 0xffffffff;

/** The smallest hashes of the passages of some texts, as base64 of 32-bit numbers, little-endian. */
export function sketchPassages(texts: readonly string[]): string {
  let [kept, largest] = [[] as number[], LARGEST];
  const shrink = (): void => {
    kept = [...new Set(kept)].sort((a, b) => a - b).slice(0, KEPT);
    if (kept.length === KEPT) largest = kept[KEPT - 1]!;
  };
  for (const text of texts)
    for (const hash of passageHashes(text)) {
      if (hash > largest) continue;
      kept.push(hash);
      if (kept.length > 8 * KEPT) shrink();
    }
  shrink();
  const view = new DataView(new ArrayBuffer(4 * kept.length));
  for (const [i, hash] of kept.entries()) view.setUint32(4 * i, hash, true);
  return btoa(String.fromCharCode(...new Uint8Array(view.buffer)));
}

/**
 * The share of a judged text's passages that a sketched text has, estimated by those whose hashes the sketch would hold; 0 where
 * they are too few to tell, or the sketch is none.
 */
export function sharedWithSketch(judged: string, sketch: string): number {
  const known = hashesOf(sketch);
  const largest = known.length < KEPT ? LARGEST : known.at(-1)!;
  const set = new Set(known);
  let [shared, sampled] = [0, 0];
  for (const hash of passageHashes(judged)) {
    if (hash > largest) continue;
    sampled++;
    if (set.has(hash)) shared++;
  }
  return shared < LEAST_SHARED ? 0 : shared / sampled;
}

/** The warning for a judged text that shares notably many passages with what a model was calibrated on. */
export function sketchWarning(
  judged: { readonly name: string; readonly text: string },
  { sketch, names }: { readonly sketch: string; readonly names: readonly string[] },
): string | undefined {
  const share = sharedWithSketch(judged.text, sketch);
  if (share <= NOTABLE_SHARE) return undefined;
  return `about ${Math.round(100 * share)} % of the passages judged in ${judged.name} occur in the text that the model was calibrated on (${names.join(", ")}): figures on it flatter the model`;
}

function hashesOf(sketch: string): number[] {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(sketch)) return [];
  const bytes = Uint8Array.from(atob(sketch), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: Math.min(KEPT, Math.floor(bytes.length / 4)) }, (_, i) => view.getUint32(4 * i, true));
}

/** Of every run of words, 32 bits. */
function* passageHashes(text: string): Generator<number> {
  const last: number[] = [];
  for (const word of wordsOf(text)) {
    last.push(hashOf(word));
    if (last.length > PASSAGE_WORDS) last.shift();
    if (last.length === PASSAGE_WORDS)
      yield mixed(last.reduce((hash, own) => Math.imul(hash ^ own, PRIME), PASSAGE_WORDS));
  }
}

/** FNV-1a over UTF-16. */
function hashOf(word: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), PRIME);
  return mixed(hash);
}

/** Spreads every bit over all others, as MurmurHash3 ends. */
function mixed(hash: number): number {
  const first = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const second = Math.imul(first ^ (first >>> 13), 0xc2b2ae35);
  return (second ^ (second >>> 16)) >>> 0;
}
