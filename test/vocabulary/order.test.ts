// The promise of a smaller vocabulary, for every kind of tokenizer that can be cut and any number of tokens.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEncoder, kindOf } from "../../src/tokenizer/encode/encoder.ts";
import type { TokenizerJson, TokenizerSource } from "../../src/tokenizer/tokenizer-json.ts";
import { pieceIds } from "../../src/tokenizer/trim/needed-tokens.ts";
import { createRenumbering } from "../../src/tokenizer/trim/renumbering.ts";
import { trimTokenizerJson } from "../../src/tokenizer/trim/trim-json.ts";
import { createOrder } from "../../src/vocabulary/order.ts";
import { tokenizerCases, tokenizerTexts } from "../helpers/tokenizer-cases.ts";

const sources = tokenizerCases.map(({ name, json, ids }) => {
  const encodable = tokenizerTexts.filter((_, i) => ids[i] !== null);
  return { name, json, texts: encodable };
});

const isMarked = ({ model }: TokenizerJson): boolean =>
  Boolean(model.continuing_subword_prefix || model.end_of_word_suffix);
const canBeCut = ({ json }: { json: TokenizerJson }): boolean =>
  ["BPE", "Unigram"].includes(kindOf(json.model)) && !isMarked(json);

const sourceOf = (json: TokenizerJson): TokenizerSource => ({
  json,
  config: {},
  specialTokens: { bosTokenId: undefined, eosTokenIds: [] },
});

const BYTE = /^<0x([0-9A-F]{2})>$/;

/** The bytes that tokens stand for. */
function bytesOf(ids: readonly number[], pieces: ReadonlyMap<number, string>, spelled: boolean): string {
  const bytes = ids.flatMap((id) => {
    const piece = pieces.get(id)!;
    const byte = spelled ? BYTE.exec(piece)?.[1] : undefined;
    return byte === undefined ? [...new TextEncoder().encode(piece)] : [Number.parseInt(byte, 16)];
  });
  return bytes.join();
}

const piecesOf = (json: TokenizerJson): Map<number, string> =>
  new Map(Array.from(pieceIds(json), ([piece, id]) => [id, piece]));

describe.each(sources.filter(canBeCut).map((source) => [source.name, source] as const))("%s", (_, source) => {
  const { json } = source;
  const encode = createEncoder(json);
  const ids = source.texts.map(encode);
  const pieces = piecesOf(json);
  const size = Math.max(...pieces.keys()) + 1;

  test("texts whose tokens stay keep them, and all others can be written", () => {
    const choice = fc.record({
      learnt: fc.subarray([...ids.keys()], { minLength: 1 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(choice, ({ learnt, share }) => {
        const counts = new Uint32Array(size);
        for (const i of learnt) for (const id of ids[i]!) counts[id]!++;
        const order = createOrder(sourceOf(json), [])(counts);
        const count = order.needed + Math.round(share * (order.total - order.needed));
        const renumbering = createRenumbering(order.first(count));
        const trimmed = trimTokenizerJson(json, renumbering);
        const encodeTrimmed = createEncoder(trimmed);
        const trimmedPieces = piecesOf(trimmed);
        const spelled = json.model.byte_fallback === true;
        for (const [i, text] of source.texts.entries()) {
          const after = encodeTrimmed(text);
          const renumbered = ids[i]!.map((id) => renumbering.idOf(id));
          if (!renumbered.includes(undefined)) expect(after).toEqual(renumbered);
          expect(bytesOf(after, trimmedPieces, spelled)).toBe(bytesOf(ids[i]!, pieces, spelled));
        }
      }),
      { numRuns: 4 },
    );
  });

  test("what texts use is enough for them", () => {
    const counts = new Uint32Array(size);
    for (const id of ids.flat()) counts[id]!++;
    const order = createOrder(sourceOf(json), [])(counts);
    const kept = new Set(order.first(order.used));
    expect(ids.flat().filter((id) => !kept.has(id))).toEqual([]);
    expect(order.needed).toBeLessThanOrEqual(order.used);
    expect([...order.first(order.total)].sort((a, b) => a - b)).toEqual([...pieces.keys()].sort((a, b) => a - b));
  });
});

test.each(sources.filter((source) => !canBeCut(source)).map((source) => [source.name, source] as const))(
  "%s is refused: its pieces mean something else alone",
  (_, { json }) => {
    expect(() => createOrder(sourceOf(json), [])).toThrow(/its kind is|marks where words/);
  },
);

test("a merge that leads to two tokens goes with neither of the other ways to them", () => {
  const model = {
    type: "BPE",
    vocab: { a: 0, b: 1, c: 2, ab: 3, bc: 4, abc: 5 },
    merges: [
      ["b", "c"],
      ["a", "bc"],
      ["a", "b"],
      ["ab", "c"],
    ],
  };
  const json = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, model };
  const counts = Uint32Array.from([0, 0, 0, 0, 0, 1]);
  const order = createOrder(sourceOf(json), [])(counts);
  expect(order.first(order.used)).toEqual([0, 1, 2, 4, 5]); // by way of bc: ab has no part in it
  expect(trimTokenizerJson(json, createRenumbering([0, 1, 2, 4, 5])).model).toMatchObject({
    vocab: { a: 0, b: 1, c: 2, bc: 3, abc: 4 },
    merges: [
      ["b", "c"],
      ["a", "bc"],
    ],
  });
});
