// In which order tokens are worth keeping: what no text can do without, then the most used, then, in their own order, those that no
// given text uses. Each comes after what it is made of, so that however many are kept from the start, they are closed: a text
// whose tokens are all kept gets the same tokens.

import type { TokenizerSource } from "../tokenizer/tokenizer-json.ts";
import { createPartsOf, neededTokens, pieceIds } from "../tokenizer/trim/needed-tokens.ts";

export interface TokenOrder {
  /** How many of the first no text can do without. */
  readonly needed: number;
  /** How many of the first the given texts use, with what these are made of and what is needed. */
  readonly used: number;
  /** How many there are: all tokens of the tokenizer, and ids that only the settings name. */
  readonly total: number;
  /** Ids of the first so many. */
  first(count: number): readonly number[];
}

/**
 * Orders the tokens of a tokenizer, for any counts of how often texts use each of them, by id.
 *
 * @param named ids with a meaning that the tokenizer does not know of
 * @throws {Error} for a tokenizer whose tokens cannot be told apart from what they are made of
 */
export function createOrder(source: TokenizerSource, named: readonly number[]): (counts: Uint32Array) => TokenOrder {
  const pieces = new Map(Array.from(pieceIds(source.json), ([piece, id]) => [id, piece]));
  const partsOf = createPartsOf(source.json);
  const known = new Map<number, readonly number[]>();
  const withParts = (id: number): readonly number[] => {
    const piece = pieces.get(id);
    const parts = known.get(id) ?? (piece === undefined ? [id] : partsOf(piece, id));
    known.set(id, parts);
    return parts;
  };
  const needed = new Set([...neededTokens(source), ...named].flatMap(withParts));
  const ascending = [...pieces.keys()].sort((a, b) => a - b);
  const total = new Set([...ascending, ...needed]).size;
  return (counts) => {
    const mostUsed = ascending.filter((id) => counts[id]! > 0).sort((a, b) => counts[b]! - counts[a]! || a - b);
    const used = placed([...needed], mostUsed, withParts);
    let all: readonly number[] | undefined; // most often nobody asks for those that no text uses
    const everything = (): readonly number[] => {
      all ??= placed(used, ascending, withParts);
      return all;
    };
    return {
      needed: needed.size,
      used: used.length,
      total,
      first: (count) => (count <= used.length ? used : everything()).slice(0, count),
    };
  };
}

/** The first ids, then the others that are not among them, each after its parts. */
function placed(
  first: readonly number[],
  others: readonly number[],
  withParts: (id: number) => readonly number[],
): readonly number[] {
  const order = new Set(first);
  for (const id of others) for (const part of withParts(id)) order.add(part);
  return [...order];
}
