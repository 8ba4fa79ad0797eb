// What a text takes with fewer tokens: each that is gone is spelled by those that stay.
import { createModel } from "../tokenizer/encode/encoder.ts";
import type { EncodePiece } from "../tokenizer/encode/pre-tokenizers.ts";
import type { TokenizerJson } from "../tokenizer/tokenizer-json.ts";
import { pieceIds } from "../tokenizer/trim/needed-tokens.ts";
import { createRenumbering } from "../tokenizer/trim/renumbering.ts";
import { trimTokenizerJson } from "../tokenizer/trim/trim-json.ts";

/** Tokens that stand for those that are counted, by id. */
export type CountTokens = (counts: Uint32Array) => number;

/**
 * Counts by spelling each token that is gone alone. Merges that reach from one such token into the next are left out, so that a
 * text may in truth take a few tokens less.
 *
 * @param kept ids of the tokens that stay
 */
export function createCounter(json: TokenizerJson, kept: readonly number[]): CountTokens {
  const stays = new Set(kept);
  let encode: EncodePiece | undefined; // made when the first token that is gone turns up
  const spell: EncodePiece = (piece) => {
    encode ??= createModel(trimTokenizerJson(json, createRenumbering(kept)).model);
    return encode(piece);
  };
  const gone = [...pieceIds(json)].filter(([, id]) => !stays.has(id));
  const lengths = new Map<number, number>();
  return (counts) => {
    let tokens = counts.reduce((sum, count) => sum + count, 0);
    for (const [piece, id] of gone) {
      if (counts[id] === 0) continue;
      const length = lengths.get(id) ?? spell(piece).length;
      lengths.set(id, length);
      tokens += counts[id]! * (length - 1);
    }
    return tokens;
  };
}
