// Bytes → characters: UTF-8, and UTF-16 with or without a byte order mark.
import { CompError } from "../errors.ts";

type Encoding = "utf-8" | "utf-16le" | "utf-16be";

/** So many bytes are looked at to tell an encoding; even, so that pairs stay whole. */
const SAMPLE_BYTES = 2 ** 16;

/** How much more often spaces must be found in one order of bytes than in the other. */
const DOMINANCE = 8;

/** Share of the pairs whose upper byte is below 32 in UTF-16 of all scripts that pass for UTF-8; dashes and quotes are the rest. */
const LEAST_LOW = 7 / 8;

/** A text may hold a NUL here and there; a file with more zero bytes than this is no text. */
const MAX_ZEROS = 1 / 8;

/**
 * A text's characters, without a byte order mark. A file that was cut within a character ends before it.
 *
 * @throws {CompError} "calibration" when it is neither UTF-8 nor UTF-16, naming the line
 */
export function decodeText(bytes: Uint8Array, name: string): string {
  const marked = markedEncoding(bytes, name);
  if (marked) {
    const text = decode(bytes, marked);
    if (text !== undefined) return text;
    throw new CompError("calibration", `${name} begins as UTF-16 and is damaged: it does not go on so`);
  }
  const narrow = decode(bytes, "utf-8");
  const sample = bytes.subarray(0, SAMPLE_BYTES);
  const wide = narrow === undefined ? orderOfSpaces(sample) : orderOfControls(sample);
  const text = (wide && decodeWide(bytes, wide)) ?? narrow;
  if (text === narrow && sample.filter((byte) => byte === 0).length > MAX_ZEROS * sample.length)
    throw new CompError("calibration", `${name} is full of NUL bytes: it is not text`);
  if (text !== undefined) return text;
  throw new CompError("calibration", `${name} cannot be read as UTF-8 text: line ${firstBadLine(bytes)} is not UTF-8`, {
    hint: "if it is text, convert it, such as by iconv -f WINDOWS-1252 -t UTF-8",
  });
}

/** What a byte order mark says. */
function markedEncoding([a, b, c, d]: Uint8Array, name: string): Encoding | undefined {
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff))
    throw new CompError("calibration", `${name} is UTF-32`, { hint: "convert it by iconv -f UTF-32 -t UTF-8" });
  if (a === 0xff && b === 0xfe) return "utf-16le";
  return a === 0xfe && b === 0xff ? "utf-16be" : undefined;
}

/** undefined where the bytes are not of this encoding; what is missing at the end is not asked for. */
function decode(bytes: Uint8Array, encoding: Encoding): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
}

/** A guess that yields NUL characters is wrong: the file is no text. */
function decodeWide(bytes: Uint8Array, encoding: Encoding): string | undefined {
  const text = decode(bytes, encoding);
  return text?.includes("\0") ? undefined : text;
}

/**
 * UTF-16 that is valid UTF-8 all the same: of ASCII, and of Cyrillic, Arabic, Thai and Indic letters. One half of each pair is
 * then a control character to UTF-8, and zero in spaces.
 */
function orderOfControls(sample: Uint8Array): Encoding | undefined {
  if (!sample.includes(0)) return undefined;
  const isFull = (half: 0 | 1): boolean =>
    sample.filter((byte, i) => i % 2 === half && byte < 0x20).length > (LEAST_LOW * sample.length) / 2;
  const [first, second] = [isFull(0), isFull(1)];
  if (first === second) return undefined;
  return second ? "utf-16le" : "utf-16be";
}

/** UTF-16 that is no UTF-8 may have characters such as U+4E00, with a zero byte in the other half: only spaces and line ends count. */
function orderOfSpaces(sample: Uint8Array): Encoding | undefined {
  let [little, big] = [0, 0];
  for (let i = 0; i + 1 < sample.length; i += 2) {
    if (sample[i + 1] === 0 && isSpace(sample[i]!)) little++;
    if (sample[i] === 0 && isSpace(sample[i + 1]!)) big++;
  }
  if (little > DOMINANCE * big) return "utf-16le";
  return big > DOMINANCE * little ? "utf-16be" : undefined;
}

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d;

/** The line, from 1, of the first byte that is not UTF-8: a line break is never within a character. */
function firstBadLine(bytes: Uint8Array): number {
  let [line, start] = [1, 0];
  for (;;) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0 || decode(bytes.subarray(start, end + 1), "utf-8") === undefined) return line;
    [line, start] = [line + 1, end + 1];
  }
}
