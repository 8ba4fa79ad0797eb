// How vocabularies write bytes: byte-level ones with a letter each, SentencePiece's as <0x0A>.

/** Printable characters stand for themselves. @see Radford et al. 2019, bytes_to_unicode in encoder.py of the GPT-2 release */
const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

const LETTERS: readonly string[] = lettersOfBytes();

/** All other bytes are moved to U+0100 and beyond. */
function lettersOfBytes(): string[] {
  let moved = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : 0x100 + moved++));
}

const ENCODER = new TextEncoder();

/** The UTF-8 bytes of a text, a letter each. */
export function bytesAsLetters(text: string): string {
  let letters = "";
  for (const byte of ENCODER.encode(text)) letters += LETTERS[byte];
  return letters;
}

/** The token of each byte, undefined where there is none. */
export const byteTokens = (ids: ReadonlyMap<string, number>): (number | undefined)[] =>
  Array.from({ length: 256 }, (_, byte) => ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`));
