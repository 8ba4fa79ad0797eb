// The two JSON objects and the special ids that make a tokenizer, from whichever kind of checkpoint.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import { tokenizerFromGguf } from "./from-gguf/from-gguf.ts";
import { readSpecialTokens } from "./special-tokens.ts";
import { isObject, readJsonObject, type TokenizerJson, type TokenizerSource } from "./tokenizer-json.ts";

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
