// In which order tokens are worth keeping: what no text can do without, then the most used, then, in their own order, those that no
// given text uses. Each comes after what it is made of, so that however many are kept from the start, they are closed: a text
// whose tokens are all kept gets the same tokens.

import type { TokenizerSource } from "../tokenizer/tokenizer-json.ts";
import { createPartsOf, neededTokens, pieceIds } from "../tokenizer/trim/needed-tokens.ts";

export interface TokenOrder {
  /** All tokens of the tokenizer, and ids that only the settings name. */
  readonly ids: readonly number[];
  /** How many of the first no text can do without. */
  readonly needed: number;
  /** How many of the first the given texts use, with what these are made of and what is needed. */
  readonly used: number;
}

/**
 * @param counts how often texts use each token, by id
 * @param named ids with a meaning that the tokenizer does not know of
 * @throws {Error} for a tokenizer whose tokens cannot be told apart from what they are made of
 */
export function orderTokens(source: TokenizerSource, counts: Uint32Array, named: Iterable<number>): TokenOrder {
  const pieces = new Map(Array.from(pieceIds(source.json), ([piece, id]) => [id, piece]));
  const partsOf = createPartsOf(source.json);
  const order = new Set<number>();
  const place = (ids: Iterable<number>): number => {
    for (const id of ids) {
      const piece = pieces.get(id);
      for (const part of piece === undefined ? [id] : partsOf(piece, id)) order.add(part);
    }
    return order.size;
  };
  const ascending = [...pieces.keys()].sort((a, b) => a - b);
  const used = ascending.filter((id) => counts[id]! > 0).sort((a, b) => counts[b]! - counts[a]! || a - b);
  const sizes = { needed: place([...neededTokens(source), ...named]), used: place(used) };
  place(ascending);
  return { ids: [...order], ...sizes };
}
