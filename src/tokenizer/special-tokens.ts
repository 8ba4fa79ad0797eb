// Which ids begin and end a text. A folder names them in several files, by text or by number.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { isObject, isPieceList, readJsonObject, type SpecialTokens, type TokenizerJson } from "./tokenizer-json.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** BOS is the first that is named; EOS is every id that any of the files names. */
export async function readSpecialTokens(
  checkpoint: Checkpoint,
  tokenizer: TokenizerJson,
  tokenizerConfig: JsonObject,
): Promise<SpecialTokens> {
  const read = async (file: string): Promise<JsonObject> => (await readJsonObject(checkpoint, file)) ?? {};
  const byText = [tokenizerConfig, await read("special_tokens_map.json")];
  const byNumber = [await read("generation_config.json"), await read("config.json")];
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
