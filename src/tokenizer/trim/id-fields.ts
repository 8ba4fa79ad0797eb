// Token ids in config.json, generation_config.json and other settings: the fields that hold them, and what becomes of them.
// Names: transformers, configuration_utils.py, generation/configuration_utils.py, and the configurations of models with images
import { isObject } from "../tokenizer-json.ts";
import type { Renumbering } from "./renumbering.ts";

type Json = Readonly<Record<string, unknown>>;

/** One id or a list of them; the model is told by them what to do, so that such a token always stays. */
const NAMED = /(^|_)token_(ids?|index|idx)$/;

/** The number of rows of the embedding. */
const SIZE = "vocab_size";

type Change = (value: unknown, idOf: Renumbering["idOf"]) => unknown;

/** Fields with tokens that need not stay, and their lists without what has become impossible. */
const LISTS: Readonly<Record<string, Change>> = {
  suppress_tokens: (ids, idOf) => listOf(ids).map(changed(idOf)).filter(isPresent),
  begin_suppress_tokens: (ids, idOf) => listOf(ids).map(changed(idOf)).filter(isPresent),
  bad_words_ids: (words, idOf) => listOf(words).map(sequence(idOf)).filter(isPresent),
  force_words_ids: (words, idOf) => listOf(words).map(sequence(idOf)).filter(isPresent),
  forced_decoder_ids: (pairs, idOf) =>
    listOf(pairs).flatMap((pair) => withFirst(listOf(pair)[0], changed(idOf)(listOf(pair)[1]))),
  sequence_bias: (pairs, idOf) =>
    listOf(pairs).flatMap((pair) => withLast(sequence(idOf)(listOf(pair)[0]), listOf(pair)[1])),
};

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const isPresent = (value: unknown): boolean => value !== undefined;
const withFirst = (first: unknown, id: unknown): unknown[] => (id === undefined ? [] : [[first, id]]);
const withLast = (ids: unknown, last: unknown): unknown[] => (ids === undefined ? [] : [[ids, last]]);

const changed =
  (idOf: Renumbering["idOf"]) =>
  (id: unknown): number | undefined =>
    typeof id === "number" ? idOf(id) : undefined;

/** A sequence of tokens, or sequences to choose from; undefined where one of the tokens has gone. */
const sequence =
  (idOf: Renumbering["idOf"]) =>
  (value: unknown): unknown => {
    if (!Array.isArray(value)) return changed(idOf)(value);
    const ids = value.map(sequence(idOf));
    return ids.every(isPresent) ? ids : undefined;
  };

/** All ids that settings name as those of tokens with a meaning. */
export function namedTokenIds(settings: Json): number[] {
  return Object.entries(settings).flatMap(([key, value]) => {
    if (isObject(value)) return namedTokenIds(value);
    if (!NAMED.test(key)) return [];
    return [value].flat(2).filter((id): id is number => typeof id === "number" && id >= 0);
  });
}

/**
 * Settings with new ids. A number that stands for no token, such as -1, stays.
 *
 * @param rows of the embedding, before and after
 */
export function trimSettings(
  settings: Json,
  { idOf }: Renumbering,
  rows: { readonly before: number; readonly after: number },
): Record<string, unknown> {
  const renumber = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(renumber);
    return typeof value === "number" ? (idOf(value) ?? value) : value;
  };
  const change = (key: string, value: unknown): unknown => {
    if (isObject(value)) return trimSettings(value, { idOf, kept: [] }, rows);
    if (NAMED.test(key)) return renumber(value);
    if (key === SIZE && value === rows.before) return rows.after;
    return Array.isArray(value) ? (LISTS[key]?.(value, idOf) ?? value) : value;
  };
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, change(key, value)]));
}
