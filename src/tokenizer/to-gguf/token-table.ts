// Tokens and their types by id, from the vocabulary and the added tokens of tokenizer.json.
import { TOKEN_TYPE } from "../from-gguf/vocabulary.ts";
import { isPieceList, type TokenizerJson } from "../tokenizer-json.ts";

const BYTE = /^<0x[0-9A-F]{2}>$/;

/** Exactly `size` tokens; ids that no token has are unused ones. */
export function tokenTable(
  { model, added_tokens: added }: TokenizerJson,
  size: number,
  sentencePiece: boolean,
): { tokens: string[]; types: number[] } {
  const tokens = Array.from({ length: size }, (_, id) => `[PAD${id}]`);
  const types = new Array<number>(size).fill(TOKEN_TYPE.unused);
  const put = (id: number, token: string, type: number): void => {
    if (id >= size) return;
    tokens[id] = token;
    types[id] = type;
  };
  const vocab = isPieceList(model.vocab) ? [] : Object.entries(model.vocab);
  for (const [token, id] of vocab)
    put(id, token, sentencePiece && BYTE.test(token) ? TOKEN_TYPE.byte : TOKEN_TYPE.normal);
  for (const { id, content, special } of added) {
    // llama.cpp looks for user-defined tokens in the text as it is written, before its spaces are made visible.
    if (special) put(id, content, TOKEN_TYPE.control);
    else put(id, sentencePiece ? content.replaceAll("▁", " ") : content, TOKEN_TYPE.userDefined);
  }
  const unknown = tokens.indexOf(String(model.unk_token));
  if (sentencePiece && unknown >= 0) types[unknown] = TOKEN_TYPE.unknown;
  return { tokens, types };
}
