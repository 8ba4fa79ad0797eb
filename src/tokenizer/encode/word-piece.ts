// WordPiece and WordLevel: a word as the longest tokens that it can be cut into from its beginning, or as one token.
// Rules: huggingface/tokenizers, tokenizers/src/models/wordpiece/mod.rs and wordlevel/mod.rs
import { type ModelJson, vocabRecord } from "../tokenizer-json.ts";
import type { EncodePiece } from "./pre-tokenizers.ts";

/** Words of more characters are unknown, where the file does not say. */
const LONGEST_WORD = 100;

/** @throws {Error} when the unknown token is not in the vocabulary */
export function createWordPiece(model: ModelJson): EncodePiece {
  const ids = new Map(Object.entries(vocabRecord(model)));
  const prefix = String(model.continuing_subword_prefix ?? "##");
  const longest = Number(model.max_input_chars_per_word ?? LONGEST_WORD);
  const unknown = unknownId(model, ids, "[UNK]");
  return (word) => {
    const characters = Array.from(word);
    return (characters.length > longest ? undefined : greedy(characters, ids, prefix)) ?? [unknown];
  };
}

/** @throws {Error} when the unknown token is not in the vocabulary */
export function createWordLevel(model: ModelJson): EncodePiece {
  const ids = new Map(Object.entries(vocabRecord(model)));
  const unknown = unknownId(model, ids, "<unk>");
  return (word) => [ids.get(word) ?? unknown];
}

/** The longest token at each place; undefined when there is none somewhere. */
function greedy(characters: readonly string[], ids: ReadonlyMap<string, number>, prefix: string): number[] | undefined {
  const tokens: number[] = [];
  for (let start = 0; start < characters.length; ) {
    let end = characters.length;
    let id: number | undefined;
    for (; end > start && id === undefined; end--)
      id = ids.get((start > 0 ? prefix : "") + characters.slice(start, end).join(""));
    if (id === undefined) return undefined;
    tokens.push(id);
    start = end + 1;
  }
  return tokens;
}

function unknownId({ unk_token }: ModelJson, ids: ReadonlyMap<string, number>, usual: string): number {
  const token = String(unk_token ?? usual);
  const id = ids.get(token);
  if (id === undefined) throw new Error(`its unknown token ${JSON.stringify(token)} is not in its vocabulary`);
  return id;
}
