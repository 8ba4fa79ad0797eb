// Tokens that no text can do without, whatever it says: those with a meaning of their own, and those that spell what no other
// token has.

import { createMergeSteps } from "../encode/bpe.ts";
import { byteTokens } from "../encode/bytes.ts";
import { kindOf } from "../encode/encoder.ts";
import { SPACE } from "../gguf/vocabulary.ts";
import { isPieceList, type ModelJson, type TokenizerJson, type TokenizerSource } from "../tokenizer-json.ts";

/** Ids of pieces, added tokens included. */
export function pieceIds({ model: { vocab }, added_tokens }: TokenizerJson): Map<string, number> {
  const own = isPieceList(vocab) ? vocab.map(([piece], id) => [piece, id] as const) : Object.entries(vocab);
  return new Map([...own, ...added_tokens.map(({ content, id }) => [content, id] as const)]);
}

/** Added and special tokens, the one for what is unknown, and bytes, or without bytes all single characters. */
export function neededTokens({ json, specialTokens }: TokenizerSource): Set<number> {
  const { model, added_tokens } = json;
  const ids = pieceIds(json);
  const { bosTokenId, eosTokenIds } = specialTokens;
  const named = [bosTokenId, ...eosTokenIds, model.unk_id, ids.get(String(model.unk_token))];
  const needed = [...added_tokens.map(({ id }) => id), ...named, ...spellingTokens(model, ids), ...leastScored(model)];
  return new Set(needed.filter((id): id is number => typeof id === "number"));
}

/** With which every text can be written. */
function spellingTokens(model: ModelJson, ids: ReadonlyMap<string, number>): (number | undefined)[] {
  const bytes = byteTokens(ids);
  // a decoder makes spaces of this piece alone, not of the bytes that would spell it
  if (model.byte_fallback === true && !bytes.includes(undefined)) return [...bytes, ids.get(SPACE)];
  return [...ids].flatMap(([piece, id]) => (Array.from(piece).length === 1 ? [id] : []));
}

/** By its score Unigram reckons what an unknown character costs. */
function leastScored({ vocab }: ModelJson): number[] {
  if (!isPieceList(vocab) || vocab.length === 0) return [];
  return [vocab.reduce((least, [, score], id) => (score < vocab[least]![1] ? id : least), 0)];
}

/**
 * What each token is made of, itself among it: those that must stay for it to be found as before, each after what it is made of.
 *
 * @throws {Error} for a tokenizer that is neither BPE without marked words nor Unigram
 */
export function createPartsOf({ model }: TokenizerJson): (piece: string, id: number) => readonly number[] {
  const kind = kindOf(model);
  if (kind === "Unigram") return (_, id) => [id];
  if (kind !== "BPE") throw new Error(`its kind is ${kind}`);
  const steps = createMergeSteps(model);
  return (piece, id) => {
    const made = steps(piece);
    return made.length > 0 ? made : [id];
  };
}
