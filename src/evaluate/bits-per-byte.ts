// Likelihood by the bytes of the text instead of by tokens, so that models of different tokenizers can be compared.
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { countJudged, type JudgedWindows } from "./judged-windows.ts";

/**
 * Bits that a model spends on a byte of UTF-8 text.
 *
 * @param perplexity of the tokens that are judged
 */
export function bitsPerByte(perplexity: number, windows: JudgedWindows, tokenizer: Tokenizer): number {
  const { ids, length, judged } = windows;
  const bytesOf = (tokens: Int32Array): number => new TextEncoder().encode(tokenizer.decode([...tokens])).length;
  let bytes = 0;
  for (const [i, { from, end }] of judged.entries()) {
    const window = ids.subarray(i * length, (i + 1) * length);
    bytes += bytesOf(window.subarray(0, end)) - bytesOf(window.subarray(0, from));
  }
  return (countJudged(windows) * Math.log2(perplexity)) / bytes;
}
