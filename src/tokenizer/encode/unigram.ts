// Unigram: of all ways to put a piece of text together from tokens the one of the largest sum of scores.
// Algorithm: Kudo 2018, Subword Regularization (Viterbi); rules for what is unknown: huggingface/tokenizers,
// tokenizers/src/models/unigram/model.rs, encode_optimized
import { isPieceList, type ModelJson } from "../tokenizer-json.ts";
import { byteTokens } from "./bytes.ts";
import type { EncodePiece } from "./pre-tokenizers.ts";
import { Trie } from "./trie.ts";

/** How much an unknown character scores below the worst token. */
const UNKNOWN_PENALTY = 10;

interface Lattice {
  readonly trie: Trie;
  readonly scores: readonly number[];
  readonly unknownScore: number;
}

/** @throws {Error} when the vocabulary is not a list with scores; at encoding, for an unknown character where nothing is for it */
export function createUnigram(model: ModelJson): EncodePiece {
  if (!isPieceList(model.vocab)) throw new Error("its model Unigram has no scores");
  const ids = new Map(model.vocab.map(([piece], id) => [piece, id]));
  const scores = model.vocab.map(([, score]) => score);
  const trie = new Trie();
  for (const [piece, id] of ids) trie.add(piece, id);
  const lattice = { trie, scores, unknownScore: lowest(scores) - UNKNOWN_PENALTY };
  const unknown = typeof model.unk_id === "number" ? model.unk_id : undefined;
  const spell = createSpeller(model, ids);
  return (piece) =>
    segment(piece, lattice, unknown).flatMap((part) => {
      const id = ids.get(part) ?? spell(part) ?? unknown;
      if (id === undefined) throw unknownCharacter(part);
      return id;
    });
}

const lowest = (scores: readonly number[]): number => scores.reduce((least, score) => Math.min(least, score), Infinity);

const unknownCharacter = (text: string): Error =>
  new Error(`its vocabulary has no token for ${JSON.stringify(text)}, and none for what is unknown`);

/** A text as byte tokens, where there is one for each of its bytes. */
function createSpeller(model: ModelJson, ids: ReadonlyMap<string, number>): (text: string) => number[] | undefined {
  if (model.byte_fallback !== true) return () => undefined;
  const bytes = byteTokens(ids);
  const encoder = new TextEncoder();
  return (text) => {
    const spelled = Array.from(encoder.encode(text), (byte) => bytes[byte]);
    return spelled.every((id) => id !== undefined) ? spelled : undefined;
  };
}

/** The parts of the best way; unknown characters side by side are one part. */
function segment(piece: string, { trie, scores, unknownScore }: Lattice, unknown: number | undefined): string[] {
  const best = new Float64Array(piece.length + 1);
  const startOf = new Int32Array(piece.length + 1).fill(-1);
  const isUnknown = new Uint8Array(piece.length + 1);
  const offer = (start: number, end: number, score: number, id: number | undefined): void => {
    const sum = best[start]! + score;
    if (startOf[end] !== -1 && sum <= best[end]!) return;
    best[end] = sum;
    startOf[end] = start;
    isUnknown[end] = id === unknown ? 1 : 0;
  };
  for (let start = 0; start < piece.length; ) {
    const next = start + (piece.codePointAt(start)! > 0xffff ? 2 : 1);
    let isCovered = false;
    trie.matchesAt(piece, start, (end, id) => {
      offer(start, end, scores[id]!, id);
      isCovered ||= end === next;
    });
    if (!isCovered) offer(start, next, unknownScore, unknown);
    start = next;
  }
  return trace(piece, startOf, isUnknown);
}

function trace(piece: string, startOf: Int32Array, isUnknown: Uint8Array): string[] {
  const parts: string[] = [];
  for (let end = piece.length; end > 0; ) {
    let start = startOf[end]!;
    if (isUnknown[end] === 1) while (start > 0 && isUnknown[start] === 1) start = startOf[start]!;
    parts.push(piece.slice(start, end));
    end = start;
  }
  return parts.reverse();
}
