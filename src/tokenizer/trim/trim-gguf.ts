// The vocabulary in a GGUF header with fewer tokens.
// Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Tokenizer"
import type { MetadataValue } from "../../checkpoint/checkpoint.ts";
import type { GgufType } from "../../checkpoint/gguf-types.ts";
import type { Renumbering } from "./renumbering.ts";

/** A metadata value and the type in which it is stored. */
export type TypedValue = readonly [type: GgufType, value: string | number | boolean | (string | number | boolean)[]];

/** Lists with an entry for each token, and the types of the entries. */
const BY_TOKEN: Readonly<Record<string, GgufType>> = {
  "tokenizer.ggml.tokens": "string",
  "tokenizer.ggml.token_type": "i32",
  "tokenizer.ggml.scores": "f32",
};
const TOKENS = "tokenizer.ggml.tokens";
const MERGES = "tokenizer.ggml.merges";
const TOKEN_ID = /^tokenizer\.ggml\.\w+_token_id$/;
/** A whole tokenizer.json, of all tokens. */
const EMBEDDED_JSON = "tokenizer.huggingface.json";

/** Values that take the place of those in the header; undefined for one that goes. */
export function trimGgufVocabulary(
  metadata: ReadonlyMap<string, MetadataValue>,
  { kept, idOf }: Renumbering,
): Map<string, TypedValue | undefined> {
  const changes = new Map<string, TypedValue | undefined>();
  const tokens = (metadata.get(TOKENS) ?? []) as string[];
  const pieces = new Set(kept.map((id) => tokens[id]!));
  for (const [key, value] of metadata) {
    const type = BY_TOKEN[key];
    if (type !== undefined) changes.set(key, [type, kept.map((id) => (value as (string | number)[])[id]!)]);
    if (key === MERGES) changes.set(key, ["string", (value as string[]).filter((merge) => isMergeOf(merge, pieces))]);
    if (key === EMBEDDED_JSON) changes.set(key, undefined);
    const id = TOKEN_ID.test(key) ? idOf(Number(value)) : undefined;
    if (id !== undefined) changes.set(key, ["u32", id]);
  }
  return changes;
}

/** Whether what a merge, "left right", joins and makes is there. */
function isMergeOf(merge: string, pieces: ReadonlySet<string>): boolean {
  const space = merge.indexOf(" ", 1);
  const [left, right] = [merge.slice(0, space), merge.slice(space + 1)];
  return pieces.has(left) && pieces.has(right) && pieces.has(left + right);
}

/** Ids that the header names as those of tokens with a meaning. */
export const namedGgufIds = (metadata: ReadonlyMap<string, MetadataValue>): number[] =>
  [...metadata].flatMap(([key, value]) => (TOKEN_ID.test(key) ? [Number(value)] : []));
