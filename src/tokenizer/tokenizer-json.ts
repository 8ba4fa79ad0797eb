// The two JSON files every tokenizer is made from, read and checked just enough to be handed to the library.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";

/** What this project touches of tokenizer.json; the rest is the library's business. */
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
  readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  readonly [setting: string]: unknown;
}

export interface TokenizerSource {
  readonly json: TokenizerJson;
  readonly config: Readonly<Record<string, unknown>>;
}

/** @throws {CompError} "checkpoint" when tokenizer.json is absent or is not one */
export async function readTokenizerJson(checkpoint: Checkpoint): Promise<TokenizerSource> {
  const text = await checkpoint.readText("tokenizer.json");
  if (text === undefined) {
    throw new CompError("checkpoint", `${checkpoint.name} has no tokenizer.json`, {
      hint: "load the model with transformers' AutoTokenizer and save it here with save_pretrained.",
    });
  }
  const json = parseObject(text, checkpoint.name, "tokenizer.json");
  const config = await readJsonObject(checkpoint, "tokenizer_config.json");
  return { json: completeTokenizerJson(json, checkpoint.name), config: config ?? {} };
}

/** A companion file as an object; undefined when there is none. @throws {CompError} "checkpoint" when it is no object */
export async function readJsonObject(
  checkpoint: Checkpoint,
  file: string,
): Promise<Record<string, unknown> | undefined> {
  const text = await checkpoint.readText(file);
  return text === undefined ? undefined : parseObject(text, checkpoint.name, file);
}

function parseObject(text: string, name: string, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CompError("checkpoint", `${name}: ${file} is not JSON`, { hint: "download the file again.", cause });
  }
  if (!isObject(value)) throw new CompError("checkpoint", `${name}: ${file} is not a JSON object`);
  return value;
}

/** The library demands that every part be named, be it null. */
function completeTokenizerJson(json: Record<string, unknown>, name: string): TokenizerJson {
  const { model } = json;
  if (!isObject(model) || typeof model.vocab !== "object" || model.vocab === null) {
    throw new CompError("checkpoint", `${name}: tokenizer.json has no model with a vocabulary`, {
      hint: "download the file again.",
    });
  }
  const empty = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  return { ...empty, ...json } as unknown as TokenizerJson;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
