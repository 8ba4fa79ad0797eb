// The vocabulary in a GGUF header, checked and in one shape, whatever kind of tokenizer it belongs to.
// Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Tokenizer"
import type { Checkpoint, MetadataValue } from "../../checkpoint/checkpoint.ts";
import { CompError } from "../../errors.ts";

/** What a token is, as GGUF numbers it. */
export const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** SentencePiece's visible space, U+2581. */
export const SPACE = "▁";

export interface GgufVocabulary {
  /** File name, for messages. */
  readonly name: string;
  /** "gpt2": byte-level BPE with merges. "llama": SentencePiece pieces with scores. */
  readonly model: "gpt2" | "llama";
  /** Name of the pre-tokenizer of a "gpt2" model. */
  readonly pre: string;
  readonly tokens: readonly string[]; // by id, all different
  readonly types: readonly number[]; // TOKEN_TYPE by id
  readonly scores: readonly number[]; // by id, larger is merged first; empty for "gpt2"
  readonly merges: readonly string[]; // "left right", most frequent first; empty for "llama"
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;
  /** Ends a turn of a conversation, when that is not EOS. */
  readonly eotTokenId: number | undefined;
  readonly unknownTokenId: number | undefined;
  readonly paddingTokenId: number | undefined;
  /** Undefined when the file leaves it to the kind of tokenizer. */
  readonly addBosToken: boolean | undefined;
  readonly addEosToken: boolean | undefined;
  readonly addSpacePrefix: boolean | undefined;
  readonly contextLength: number | undefined;
  readonly chatTemplate: string | undefined;
}

const MODEL = "tokenizer.ggml.model";
const PRE = "tokenizer.ggml.pre";

/** What llama.cpp takes where a file does not say. */
const DEFAULT_PRE = "default";

/** What of a file's tokenizer is a guess. */
export function ggufWarnings({ name, metadata }: Pick<Checkpoint, "name" | "metadata">): string[] {
  if (metadata.get(MODEL) !== "gpt2" || metadata.has(PRE)) return [];
  return [
    `${name} does not name its pre-tokenizer, so that llama.cpp's default is taken: a guess, and a model that has learnt ` +
      "other words is worse with it. A newer GGUF of the model, or its Hugging Face folder, names it",
  ];
}

/** @throws {CompError} "checkpoint" when the file has no vocabulary, a damaged one, or one of another kind */
export function readGgufVocabulary({ name, metadata }: Pick<Checkpoint, "name" | "metadata">): GgufVocabulary {
  const read = new MetadataReader(name, metadata);
  const model = read.string(MODEL);
  if (model !== "gpt2" && model !== "llama") throw unsupportedModel(name, model);
  const tokens = read.strings("tokenizer.ggml.tokens").map((token, id) => token || `[EMPTY_${id}]`);
  if (tokens.length === 0) throw new CompError("checkpoint", `${name} has no vocabulary`);
  checkDistinct(name, tokens);
  const id = (role: string): number | undefined => read.id(`tokenizer.ggml.${role}_token_id`, tokens.length);
  return {
    name,
    model,
    pre: read.string(PRE) ?? DEFAULT_PRE,
    tokens,
    types: read.numbersFor("tokenizer.ggml.token_type", tokens.length) ?? tokens.map(() => TOKEN_TYPE.normal),
    scores: model === "gpt2" ? [] : (read.numbersFor("tokenizer.ggml.scores", tokens.length) ?? tokens.map(() => 0)),
    merges: model === "gpt2" ? read.strings("tokenizer.ggml.merges") : [],
    bosTokenId: id("bos"),
    eosTokenId: id("eos"),
    eotTokenId: id("eot"),
    unknownTokenId: id("unknown"),
    paddingTokenId: id("padding"),
    addBosToken: read.boolean("tokenizer.ggml.add_bos_token"),
    addEosToken: read.boolean("tokenizer.ggml.add_eos_token"),
    addSpacePrefix: read.boolean("tokenizer.ggml.add_space_prefix"),
    contextLength: read.integer(`${read.string("general.architecture")}.context_length`),
    chatTemplate: read.string("tokenizer.chat_template"),
  };
}

function unsupportedModel(name: string, model: string | undefined): CompError {
  const what = model === undefined ? "no tokenizer" : `a tokenizer of kind "${model}"`;
  return new CompError("checkpoint", `${name} has ${what}`, {
    hint: 'GGUF tokenizers of kinds "gpt2" and "llama" are supported; give the Hugging Face folder of the model instead.',
  });
}

function checkDistinct(name: string, tokens: readonly string[]): void {
  const idOf = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    const first = idOf.get(token);
    if (first !== undefined) {
      throw new CompError("checkpoint", `${name}: tokens ${first} and ${id} are both ${JSON.stringify(token)}`);
    }
    idOf.set(token, id);
  }
}

/** Typed access to the header; a value of another type than expected is damage. */
class MetadataReader {
  readonly #name: string;
  readonly #metadata: ReadonlyMap<string, MetadataValue>;

  constructor(name: string, metadata: ReadonlyMap<string, MetadataValue>) {
    this.#name = name;
    this.#metadata = metadata;
  }

  string(key: string): string | undefined {
    return this.#read(key, "a text", (value) => typeof value === "string") as string | undefined;
  }

  boolean(key: string): boolean | undefined {
    return this.#read(key, "true or false", (value) => typeof value === "boolean") as boolean | undefined;
  }

  integer(key: string): number | undefined {
    const value = this.#read(key, "a whole number", (v) => typeof v === "bigint" || Number.isInteger(v));
    return value === undefined ? undefined : Number(value);
  }

  /** A token id; one outside the vocabulary counts as absent, as in llama.cpp. */
  id(key: string, vocabSize: number): number | undefined {
    const id = this.integer(key);
    return id !== undefined && id >= 0 && id < vocabSize ? id : undefined;
  }

  strings(key: string): string[] {
    const value = this.#read(key, "a list of texts", (v) => isListOf(v, "string"));
    return (value as string[] | undefined) ?? [];
  }

  /** One number per token; undefined when the file has none. */
  numbersFor(key: string, count: number): number[] | undefined {
    const isFit = (v: MetadataValue): boolean => isListOf(v, "number") && v.length >= count;
    return this.#read(key, `a list of ${count} numbers`, isFit) as number[] | undefined;
  }

  #read(key: string, expected: string, isFit: (value: MetadataValue) => boolean): MetadataValue | undefined {
    const value = this.#metadata.get(key);
    if (value !== undefined && !isFit(value)) {
      throw new CompError("checkpoint", `${this.#name}: ${key} is not ${expected}`, {
        hint: "download the file again.",
      });
    }
    return value;
  }
}

function isListOf(value: MetadataValue, type: "string" | "number"): value is MetadataValue[] {
  return Array.isArray(value) && value.every((element) => typeof element === type);
}
