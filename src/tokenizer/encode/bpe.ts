// Byte-pair encoding of one piece of text: its characters as tokens, then merged.
// Rules: huggingface/tokenizers, tokenizers/src/models/bpe/model.rs
import { type ModelJson, mergePairs, vocabRecord } from "../tokenizer-json.ts";
import { byteTokens } from "./bytes.ts";
import { type MergeTable, mergeSymbols } from "./merge-symbols.ts";
import type { EncodePiece } from "./pre-tokenizers.ts";
import { safeCuts } from "./split-long-text.ts";

/** Pieces whose ids are remembered, and the longest of them. */
const CACHED_PIECES = 65536;
const CACHED_LENGTH = 64;

/** @throws {Error} for a merge of what is no token, and for ids that chance would decide */
export function createBpe(model: ModelJson): EncodePiece {
  if (typeof model.dropout === "number" && model.dropout > 0)
    throw new Error(`its merges are left out at random (dropout ${model.dropout})`);
  const encodePart = cached(createPartEncoder(model));
  const cut = createCuts(model);
  const whole = model.ignore_merges === true ? idsOf(model) : new Map<string, number>();
  return (piece) => {
    const id = whole.get(piece);
    return id === undefined ? cut(piece).flatMap(encodePart) : [id];
  };
}

/**
 * What a piece is merged from: its characters, then each token that merging makes on the way, the piece itself last. Nothing where
 * merging does not end in the piece.
 *
 * No merge reaches across the ends of a token that merging leaves in a text, so that within them it takes the same steps as for
 * the token alone: these are the tokens that it needs wherever it stands.
 *
 * @throws {Error} for a model that marks where words begin or end: there a piece alone is another word
 */
export function createMergeSteps(model: ModelJson): (piece: string) => readonly number[] {
  if (isMarked(model)) throw new Error("it marks where words begin or end");
  const ids = idsOf(model);
  const table = readMerges(model, ids);
  const symbolsOf = createSymbolizer(model, ids);
  return (piece) => {
    const symbols = symbolsOf(Array.from(piece));
    const steps = new Set(symbols);
    const left = mergeSymbols(symbols, table, (made) => steps.add(made));
    return left.length === 1 && left[0] === ids.get(piece) ? [...steps] : [];
  };
}

const isMarked = (model: ModelJson): boolean =>
  Boolean(model.continuing_subword_prefix) || Boolean(model.end_of_word_suffix);

const idsOf = (model: ModelJson): Map<string, number> => new Map(Object.entries(vocabRecord(model)));

/** Cuts that leave the ids as they are; none where words are marked, or where what is unknown vanishes from between others. */
function createCuts(model: ModelJson): (piece: string) => string[] {
  const ids = idsOf(model);
  const isSpelled = model.byte_fallback === true && byteTokens(ids).every((id) => id !== undefined);
  if (isMarked(model) || (unknownId(model, ids) === undefined && !isSpelled)) return (piece) => [piece];
  // unknown characters side by side are one unknown token where they are fused
  return safeCuts(vocabRecord(model), (character) => !isSpelled && !ids.has(character));
}

function cached(encode: EncodePiece): EncodePiece {
  const known = new Map<string, readonly number[]>();
  return (piece) => {
    if (piece.length > CACHED_LENGTH) return encode(piece);
    const found = known.get(piece);
    if (found !== undefined) return found;
    if (known.size >= CACHED_PIECES) known.clear();
    const ids = encode(piece);
    known.set(piece, ids);
    return ids;
  };
}

function createPartEncoder(model: ModelJson): EncodePiece {
  const ids = idsOf(model);
  const table = readMerges(model, ids);
  const prefix = String(model.continuing_subword_prefix ?? "");
  const suffix = String(model.end_of_word_suffix ?? "");
  const symbolsOf = createSymbolizer(model, ids);
  return (part) => {
    const characters = Array.from(part);
    const marked = characters.map(
      (character, i) => `${i > 0 ? prefix : ""}${character}${i === characters.length - 1 ? suffix : ""}`,
    );
    return mergeSymbols(symbolsOf(marked), table);
  };
}

/**
 * Characters as tokens: by name, else spelled in bytes, else unknown. An unknown token waits for the next one that is known, in
 * case more unknown ones are to be fused with it; bytes do not end the waiting, as in tokenizers.
 */
function createSymbolizer(model: ModelJson, ids: ReadonlyMap<string, number>): (characters: string[]) => number[] {
  const bytes = model.byte_fallback === true ? byteTokens(ids) : [];
  const encoder = new TextEncoder();
  const unknown = unknownId(model, ids);
  return (characters) => {
    const symbols: number[] = [];
    let waiting = false;
    for (const character of characters) {
      const id = ids.get(character);
      if (id !== undefined) {
        if (waiting) symbols.push(unknown!);
        waiting = false;
        symbols.push(id);
        continue;
      }
      const spelled = Array.from(encoder.encode(character), (byte) => bytes[byte]);
      if (spelled.every((token) => token !== undefined)) symbols.push(...spelled);
      else if (unknown !== undefined) {
        if (waiting && model.fuse_unk !== true) symbols.push(unknown);
        waiting = true;
      }
    }
    if (waiting) symbols.push(unknown!);
    return symbols;
  };
}

function unknownId({ unk_token: unknown }: ModelJson, ids: ReadonlyMap<string, number>): number | undefined {
  if (typeof unknown !== "string") return undefined;
  const id = ids.get(unknown);
  if (id === undefined) throw new Error(`its unknown token ${JSON.stringify(unknown)} is not in its vocabulary`);
  return id;
}

function readMerges(model: ModelJson, ids: ReadonlyMap<string, number>): MergeTable {
  const prefixLength = String(model.continuing_subword_prefix ?? "").length;
  const span = [...ids.values()].reduce((most, id) => Math.max(most, id), 0) + 1;
  const ranks = new Map<number, number>();
  const madeBy: number[] = [];
  for (const [left, right] of mergePairs(model) ?? []) {
    const [a, b, made] = [ids.get(left), ids.get(right), ids.get(left + right.slice(prefixLength))];
    if (a === undefined || b === undefined || made === undefined)
      throw new Error(`its merge ${JSON.stringify(`${left} ${right}`)} is not of tokens`);
    ranks.set(a * span + b, madeBy.length);
    madeBy.push(made);
  }
  return { rankOf: (left, right) => ranks.get(left * span + right), madeBy };
}
