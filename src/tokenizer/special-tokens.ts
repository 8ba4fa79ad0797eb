// Which ids begin and end a text. The names stand in several files; the first that has one wins.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { readJsonObject } from "./tokenizer-json.ts";

export interface SpecialTokens {
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
}

type JsonObject = Readonly<Record<string, unknown>>;

/** BOS from tokenizer_config.json, special_tokens_map.json, the model's configs; EOS is the union of all of them. */
export async function readSpecialTokens(
  checkpoint: Checkpoint,
  tokenizerConfig: JsonObject,
  tokenToId: (token: string) => number | undefined,
): Promise<SpecialTokens> {
  const map = await readJsonObject(checkpoint, "special_tokens_map.json");
  const generation = await readJsonObject(checkpoint, "generation_config.json");
  const model = await readJsonObject(checkpoint, "config.json");
  const named = [tokenizerConfig, map ?? {}];
  const numbered = [generation ?? {}, model ?? {}];
  const ids = (role: "bos" | "eos"): number[] => [
    ...named.flatMap((file) => idsOfToken(file[`${role}_token`], tokenToId)),
    ...numbered.flatMap((file) => idsOfNumber(file[`${role}_token_id`])),
  ];
  return { bosTokenId: ids("bos")[0], eosTokenIds: [...new Set(ids("eos"))] };
}

/** A token is written as its text, or as an object that also says how to match it. */
function idsOfToken(value: unknown, tokenToId: (token: string) => number | undefined): number[] {
  const content = typeof value === "object" && value !== null ? (value as { content?: unknown }).content : value;
  const id = typeof content === "string" ? tokenToId(content) : undefined;
  return id === undefined ? [] : [id];
}

function idsOfNumber(value: unknown): number[] {
  const values = Array.isArray(value) ? value : [value];
  return values.filter((id): id is number => typeof id === "number");
}
