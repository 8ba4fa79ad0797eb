// tokenizer.json and its companions as data: the fields that this project reads or writes.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";

export interface TokenizerSource {
  /** tokenizer.json */
  readonly json: TokenizerJson;
  /** tokenizer_config.json */
  readonly config: Readonly<Record<string, unknown>>;
  readonly specialTokens: SpecialTokens;
}

export interface SpecialTokens {
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
}

export interface TokenizerJson {
  readonly added_tokens: readonly AddedTokenJson[];
  readonly normalizer: object | null;
  readonly pre_tokenizer: PartJson | null;
  readonly post_processor: object | null;
  readonly decoder: object | null;
  readonly model: ModelJson;
}

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Looked for in the normalized text; where older files do not say, all but special tokens are. */
  readonly normalized?: boolean;
  readonly special: boolean;
}

/** A normalizer, a pre-tokenizer, a decoder: a kind, and what that kind asks for. */
export interface PartJson {
  readonly type: string;
  readonly [setting: string]: unknown;
}

export interface ModelJson {
  readonly type?: string;
  /** Piece → id of BPE; [piece, score] by id of Unigram. */
  readonly vocab: Readonly<Record<string, number>> | PieceList;
  readonly [setting: string]: unknown;
}

type PieceList = readonly (readonly [string, number])[];

export function isPieceList(vocab: ModelJson["vocab"]): vocab is PieceList {
  return Array.isArray(vocab);
}

/** Ids of a vocabulary that has no scores. @throws {Error} for one that has */
export function vocabRecord({ vocab, type }: ModelJson): Readonly<Record<string, number>> {
  if (isPieceList(vocab)) throw new Error(`its vocabulary is not one of ${type ?? "words"}`);
  return vocab;
}

/** Merges are pairs, in older files one text with a space between the halves; undefined when there are none. */
export function mergePairs({ merges }: ModelJson): (readonly [string, string])[] | undefined {
  if (!Array.isArray(merges)) return undefined;
  return merges.map((merge: string | [string, string]) => {
    if (typeof merge !== "string") return merge;
    const space = merge.indexOf(" ", 1);
    return [merge.slice(0, space), merge.slice(space + 1)];
  });
}

/** The regex that GPT-2 cuts a text into words with. @see Radford et al. 2019, encoder.py of the GPT-2 release */
export const GPT2_REGEX = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** A pre-tokenizer that makes each match, and each stretch between matches, a piece of its own. */
export function splitBy(regex: string): PartJson {
  return { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false };
}

/** A companion file as an object; undefined when there is none. @throws {CompError} "checkpoint" when it is no object */
export async function readJsonObject(
  checkpoint: Checkpoint,
  file: string,
): Promise<Record<string, unknown> | undefined> {
  const text = await checkpoint.readText(file);
  if (text === undefined) return undefined;
  const value = parse(text);
  if (isObject(value)) return value;
  throw new CompError("checkpoint", `${checkpoint.name}: ${file} is not a JSON object`, {
    hint: "download the file again.",
  });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
