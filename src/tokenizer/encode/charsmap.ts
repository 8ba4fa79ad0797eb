// SentencePiece's precompiled table of replacements: a double-array trie over UTF-8, then the texts that it points into.
// Format: google/sentencepiece, src/normalizer.cc and third_party/darts_clone. Application: huggingface/spm_precompiled, whose way
// of trying short grapheme clusters whole, and taking the shortest match, is that of tokenizers.

/** A grapheme cluster of fewer bytes is looked up whole. */
const CLUSTER_BYTES = 6;

/** @param encoded base64 @throws {Error} when it is no such table */
export function charsmapNormalizer(encoded: unknown): (text: string) => string {
  if (typeof encoded !== "string") throw new Error("its normalizer Precompiled has no table");
  const table = parseCharsmap(Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0)));
  const clusters = new Intl.Segmenter("en", { granularity: "grapheme" });
  const encoder = new TextEncoder();
  const lookUp = memoized((text) => table.lookUp(encoder.encode(text)));
  const replaceCluster = memoized((cluster) => {
    const whole = encoder.encode(cluster).length < CLUSTER_BYTES ? lookUp(cluster) : undefined;
    return whole ?? Array.from(cluster, (character) => lookUp(character) ?? character).join("");
  });
  return (text) => Array.from(clusters.segment(text), ({ segment }) => replaceCluster(segment)!).join("");
}

function memoized(look: (text: string) => string | undefined): (text: string) => string | undefined {
  const known = new Map<string, string | undefined>();
  return (text) => {
    if (!known.has(text)) known.set(text, look(text));
    return known.get(text);
  };
}

function parseCharsmap(bytes: Uint8Array): { lookUp(text: Uint8Array): string | undefined } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const trieBytes = bytes.length < 4 ? Number.NaN : view.getUint32(0, true);
  if (!(trieBytes % 4 === 0 && trieBytes > 0 && 4 + trieBytes <= bytes.length))
    throw new Error("the table of its normalizer Precompiled is damaged");
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const texts = bytes.subarray(4 + trieBytes);
  return {
    lookUp: (text) => {
      const at = shortestPrefix(units, text);
      if (at === undefined) return undefined;
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(texts.subarray(at, texts.indexOf(0, at)));
    },
  };
}

/** The value of the shortest key that the text begins with. @see darts-clone, DoubleArrayUnit */
function shortestPrefix(units: Uint32Array, text: Uint8Array): number | undefined {
  const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
  let position = offset(units[0]!);
  for (const byte of text) {
    if (byte === 0) return undefined;
    position ^= byte;
    const unit = units[position];
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
    position ^= offset(unit);
    if ((unit & 0x100) !== 0) return units[position]! & 0x7fffffff;
  }
  return undefined;
}
