// Reads what makes a tokenizer from a checkpoint: two JSON objects, the special ids, and the chat template. A folder may have the
// special tokens and the template in any of several files.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import { tokenizerFromGguf } from "./gguf/from-gguf.ts";
import {
  type AddedTokenJson,
  isObject,
  isPieceList,
  readJsonObject,
  type SpecialTokens,
  type TokenizerJson,
  type TokenizerSource,
} from "./tokenizer-json.ts";

/** @throws {CompError} "checkpoint" when the checkpoint has no tokenizer that this project can read */
export async function readTokenizerSource(checkpoint: Checkpoint): Promise<TokenizerSource> {
  if (checkpoint.format === "gguf") return tokenizerFromGguf(checkpoint);
  const parsed = await readJsonObject(checkpoint, "tokenizer.json");
  if (parsed === undefined) {
    throw new CompError("checkpoint", `${checkpoint.name} has no tokenizer.json`, {
      hint: "load the model with transformers' AutoTokenizer and save it here with save_pretrained.",
    });
  }
  const json = completeTokenizerJson(parsed, checkpoint.name);
  const config = (await readJsonObject(checkpoint, "tokenizer_config.json")) ?? {};
  return { json, config, specialTokens: await readSpecialTokens(checkpoint, json, config) };
}

/** Every part is present, if only as null. */
function completeTokenizerJson(json: Record<string, unknown>, name: string): TokenizerJson {
  const { model } = json;
  if (!isObject(model) || typeof model.vocab !== "object" || model.vocab === null) {
    throw new CompError("checkpoint", `${name}: tokenizer.json has no model with a vocabulary`, {
      hint: "download the file again.",
    });
  }
  const empty = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  const complete = { ...empty, ...json } as unknown as TokenizerJson;
  return { ...complete, added_tokens: numberAddedTokens(complete) };
}

/**
 * Added tokens with the ids that huggingface/tokenizers gives them, whatever the file says: a piece of the vocabulary keeps its
 * id, all others are numbered on from the size of the vocabulary.
 */
function numberAddedTokens({ added_tokens, model: { vocab } }: TokenizerJson): AddedTokenJson[] {
  const ids = new Map(isPieceList(vocab) ? vocab.map(([piece], id) => [piece, id]) : Object.entries(vocab));
  let free = isPieceList(vocab) ? vocab.length : ids.size;
  return [...added_tokens]
    .sort((a, b) => a.id - b.id)
    .map((token) => {
      const id = ids.get(token.content) ?? free++;
      ids.set(token.content, id);
      return { ...token, id };
    });
}

type JsonObject = Readonly<Record<string, unknown>>;

/** BOS is the first that is named; EOS is every id that any of the files names. */
async function readSpecialTokens(
  checkpoint: Checkpoint,
  tokenizer: TokenizerJson,
  tokenizerConfig: JsonObject,
): Promise<SpecialTokens> {
  const read = async (file: string): Promise<JsonObject> => (await readJsonObject(checkpoint, file)) ?? {};
  const byText = [tokenizerConfig, await read("special_tokens_map.json")];
  const model = await read("config.json");
  const textPart = isObject(model.text_config) ? [model.text_config] : [];
  const byNumber = [await read("generation_config.json"), model, ...textPart];
  const ids = (role: "bos" | "eos"): number[] => [
    ...byText.flatMap((file) => idsOfToken(file[`${role}_token`], tokenizer)),
    ...byNumber.flatMap((file) => idsOfNumber(file[`${role}_token_id`])),
  ];
  return { bosTokenId: ids("bos")[0], eosTokenIds: [...new Set(ids("eos"))] };
}

/** A token is written as its text, or as an object that also says how to match it. */
function idsOfToken(value: unknown, { added_tokens, model }: TokenizerJson): number[] {
  const content = isObject(value) ? value.content : value;
  if (typeof content !== "string") return [];
  const added = added_tokens.find((token) => token.content === content);
  if (added !== undefined) return [added.id];
  const { vocab } = model;
  const id = isPieceList(vocab) ? vocab.findIndex(([piece]) => piece === content) : (vocab[content] ?? -1);
  return id < 0 ? [] : [id];
}

function idsOfNumber(value: unknown): number[] {
  const values = Array.isArray(value) ? value : [value];
  return values.filter((id): id is number => typeof id === "number");
}

/** The template for conversations: from a file of its own, or as the configuration has it; undefined when there is none. */
export async function chatTemplate(checkpoint: Checkpoint, tokenizerConfig: JsonObject): Promise<string | undefined> {
  const own = await checkpoint.readText("chat_template.jinja");
  if (own !== undefined) return own;
  const json = await readJsonObject(checkpoint, "chat_template.json");
  return defaultTemplate(json?.chat_template) ?? defaultTemplate(tokenizerConfig.chat_template);
}

function defaultTemplate(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const named = Array.isArray(value) ? value.filter(isObject).find(({ name }) => name === "default") : undefined;
  return typeof named?.template === "string" ? named.template : undefined;
}
