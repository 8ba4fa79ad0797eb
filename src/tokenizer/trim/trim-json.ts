// tokenizer.json with fewer tokens: pieces, merges, scores, added tokens, and the ids in everything around them.
import {
  isObject,
  isPieceList,
  type ModelJson,
  mergePairs,
  type PartJson,
  type TokenizerJson,
} from "../tokenizer-json.ts";
import type { Renumbering } from "./renumbering.ts";

/** The tokenizer of the tokens that stay. Merges keep their order; one goes when what it joins or makes does. */
export function trimTokenizerJson(json: TokenizerJson, renumbering: Renumbering): TokenizerJson {
  const { added_tokens, model, post_processor } = json;
  const { padding } = json as { padding?: unknown };
  return {
    ...json,
    ...(isObject(padding) && { padding: { ...padding, pad_id: newId(padding.pad_id, renumbering) } }),
    added_tokens: added_tokens.flatMap((token) => {
      const id = renumbering.idOf(token.id);
      return id === undefined ? [] : [{ ...token, id }];
    }),
    model: trimModel(model, renumbering),
    post_processor: trimPostProcessor(post_processor, renumbering),
  };
}

const newId = (id: unknown, { idOf }: Renumbering): unknown => (typeof id === "number" ? (idOf(id) ?? id) : id);

function trimModel(model: ModelJson, renumbering: Renumbering): ModelJson {
  const { vocab } = model;
  if (isPieceList(vocab))
    return {
      ...model,
      vocab: renumbering.kept.flatMap((id) => (vocab[id] === undefined ? [] : [vocab[id]])),
      ...(typeof model.unk_id === "number" && { unk_id: newId(model.unk_id, renumbering) }),
    };
  const kept = trimVocab(vocab, renumbering);
  return { ...model, vocab: kept, ...(Array.isArray(model.merges) && { merges: trimMerges(model, kept) }) };
}

/** Pieces with their new ids, ascending. */
export function trimVocab(vocab: Readonly<Record<string, number>>, { idOf }: Renumbering): Record<string, number> {
  const kept = Object.entries(vocab).flatMap(([piece, old]): [string, number][] => {
    const id = idOf(old);
    return id === undefined ? [] : [[piece, id]];
  });
  return Object.fromEntries(kept.sort(([, a], [, b]) => a - b));
}

function trimMerges(model: ModelJson, vocab: Readonly<Record<string, number>>): unknown[] {
  const prefixLength = String(model.continuing_subword_prefix ?? "").length;
  const isKept = (piece: string): boolean => Object.hasOwn(vocab, piece);
  const pairs = mergePairs(model)!;
  return (model.merges as unknown[]).filter((_, i) => {
    const [left, right] = pairs[i]!;
    return isKept(left) && isKept(right) && isKept(left + right.slice(prefixLength));
  });
}

/** The tokens that it puts around a text. */
function trimPostProcessor(json: object | null, renumbering: Renumbering): object | null {
  if (!isObject(json)) return json;
  const part = json as PartJson;
  const pair = (value: unknown): unknown => {
    const [token, id] = value as [string, number];
    return [token, newId(id, renumbering)];
  };
  switch (part.type) {
    case "Sequence":
      return { ...part, processors: (part.processors as object[]).map((one) => trimPostProcessor(one, renumbering)) };
    case "TemplateProcessing": {
      const tokens = Object.entries(part.special_tokens as Record<string, { ids: number[] }>);
      const trimmed = tokens.map(([name, token]) => [
        name,
        { ...token, ids: token.ids.map((id) => newId(id, renumbering)) },
      ]);
      return { ...part, special_tokens: Object.fromEntries(trimmed) };
    }
    case "BertProcessing":
    case "RobertaProcessing":
      return { ...part, sep: pair(part.sep), cls: pair(part.cls) };
    default:
      return part;
  }
}
