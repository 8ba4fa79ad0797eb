// Tokens that are found in the text before anything is merged, and the template that prepends BOS.
import type { AddedTokenJson } from "../tokenizer-json.ts";
import { type GgufVocabulary, TOKEN_TYPE } from "./vocabulary.ts";

/** Control tokens and the unknown token are special: left out of decoded text. User-defined ones are text. */
export function addedTokens({ tokens, types }: GgufVocabulary): AddedTokenJson[] {
  return tokens.flatMap((content, id) => {
    const special = types[id] === TOKEN_TYPE.control || types[id] === TOKEN_TYPE.unknown;
    if (!special && types[id] !== TOKEN_TYPE.userDefined) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
  });
}

/** The post-processor of tokenizer.json for one text and for a pair of texts. */
export function bosTemplate(vocabulary: GgufVocabulary, addsBos: boolean): object {
  const { tokens, bosTokenId, eosTokenId, addEosToken } = vocabulary;
  const bos = addsBos && bosTokenId !== undefined ? [tokens[bosTokenId]!] : [];
  const eos = addEosToken === true && eosTokenId !== undefined ? [tokens[eosTokenId]!] : [];
  const part = (id: "A" | "B", type_id: number): object[] => [
    ...bos.map((token) => ({ SpecialToken: { id: token, type_id } })),
    { Sequence: { id, type_id } },
    ...eos.map((token) => ({ SpecialToken: { id: token, type_id } })),
  ];
  const used = [...bos, ...eos].map((token) => [token, { id: token, ids: [tokens.indexOf(token)], tokens: [token] }]);
  return {
    type: "TemplateProcessing",
    single: part("A", 0),
    pair: [...part("A", 0), ...part("B", 1)],
    special_tokens: Object.fromEntries(used),
  };
}
