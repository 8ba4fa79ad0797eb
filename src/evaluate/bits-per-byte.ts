// Likelihood by the bytes of the text instead of by tokens, so that models of different tokenizers can be compared.
import type { TokenWindows } from "../model/spec/token-windows.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/**
 * Bits that a model spends on a byte of UTF-8 text.
 *
 * @param perplexity of the targets: every token of a window but its first
 */
export function bitsPerByte(perplexity: number, windows: TokenWindows, tokenizer: Tokenizer): number {
  const { ids, count, length } = windows;
  const bytesOf = (tokens: Int32Array): number => new TextEncoder().encode(tokenizer.decode([...tokens])).length;
  let bytes = 0;
  for (let start = 0; start < ids.length; start += length)
    bytes += bytesOf(ids.subarray(start, start + length)) - bytesOf(ids.subarray(start, start + 1));
  return (count * (length - 1) * Math.log2(perplexity)) / bytes;
}
