// tokenizer.json and its companions as data: what this project touches of them; the rest is the library's business.
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
  readonly pre_tokenizer: PreTokenizerJson | null;
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
  readonly normalized: boolean;
  readonly special: boolean;
}

export interface PreTokenizerJson {
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
