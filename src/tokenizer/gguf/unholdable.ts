// What of a tokenizer.json has no counterpart in llama.cpp: it would give other ids, so that such a tokenizer is refused.
// What llama.cpp does: src/llama-vocab.cpp
import { byteTokens } from "../encode/bytes.ts";
import { kindOf } from "../encode/encoder.ts";
import { isObject, mergePairs, type PartJson, type TokenizerJson, vocabRecord } from "../tokenizer-json.ts";
import { ggufPreTokenizer } from "./pre-tokenizers.ts";
import { SPACE } from "./vocabulary.ts";

/**
 * Why GGUF cannot hold a tokenizer; undefined when it can. NFC passes, as it does with llama.cpp's own converter: hardly a text is
 * written otherwise.
 */
export function whyUnholdable(json: TokenizerJson): string | undefined {
  const { model } = json;
  if (kindOf(model) !== "BPE" || mergePairs(model) === undefined) return `its kind, ${kindOf(model)}, is not BPE`;
  if (model.continuing_subword_prefix || model.end_of_word_suffix)
    return "it marks where words begin or end, which llama.cpp does not";
  const normalizer = partsOf(json.normalizer).find((part) => !isHoldable(part, isSentencePiece(json)));
  if (normalizer !== undefined)
    return `its normalizer ${normalizer.type} changes texts in a way that llama.cpp does not`;
  return isSentencePiece(json) ? whyNotSentencePiece(json) : whyNotByteLevel(json);
}

/** Whether spaces are made visible as SentencePiece does (Llama 2, Mistral, Gemma), by the normalizer or by Metaspace. */
export const isSentencePiece = ({ normalizer, pre_tokenizer }: TokenizerJson): boolean =>
  partsOf(normalizer).some(showsSpaces) || partsOf(pre_tokenizer).some(({ type }) => type === "Metaspace");

/** Whether a text gets a space in front. */
export const prefixesSpace = ({ normalizer, pre_tokenizer }: TokenizerJson): boolean =>
  partsOf(normalizer).some(({ type }) => type === "Prepend") ||
  partsOf(pre_tokenizer).some(
    (part) =>
      part.type === "Metaspace" && (part.prepend_scheme ?? "always") !== "never" && part.add_prefix_space !== false,
  );

const showsSpaces = (part: PartJson): boolean =>
  part.type === "Replace" && isTextOf(part.pattern, " ") && part.content === SPACE;

const isTextOf = (pattern: unknown, text: string): boolean => isObject(pattern) && pattern.String === text;

const isHoldable = (part: PartJson, sentencePiece: boolean): boolean =>
  part.type === "NFC" || (sentencePiece && (showsSpaces(part) || (part.type === "Prepend" && part.prepend === SPACE)));

const whyNotByteLevel = (json: TokenizerJson): string | undefined =>
  ggufPreTokenizer(json) === undefined ? "its pre-tokenizer is not one that llama.cpp has a name for" : undefined;

function whyNotSentencePiece(json: TokenizerJson): string | undefined {
  const { model } = json;
  const shown = partsOf(json.normalizer).some(showsSpaces);
  const cutter = partsOf(json.pre_tokenizer).find(
    // at spaces that the normalizer has replaced nothing is cut
    (part) => part.type !== "Metaspace" && !(shown && part.type === "Split" && isTextOf(part.pattern, " ")),
  );
  if (cutter !== undefined)
    return `its pre-tokenizer ${cutter.type} is nothing that llama.cpp has beside SentencePiece`;
  const ids = new Map(Object.entries(vocabRecord(model)));
  if (model.byte_fallback !== true || byteTokens(ids).includes(undefined))
    return "it does not spell unknown characters in bytes, which llama.cpp does";
  if (model.ignore_merges === true) return "it takes whole words without merging them, which llama.cpp does not";
  if (hasUnlistedMerges(json, ids)) return "its merges are not all that its pieces allow, which are those of llama.cpp";
  return undefined;
}

/** llama.cpp merges any two pieces that make a third, whether a merge says so or not. */
function hasUnlistedMerges({ model, added_tokens }: TokenizerJson, ids: ReadonlyMap<string, number>): boolean {
  const added = new Set(added_tokens.map(({ content }) => content));
  const isPiece = (text: string): boolean => ids.has(text) && !added.has(text);
  const listed = new Map<string, number>();
  for (const [left, right] of mergePairs(model) ?? []) listed.set(left + right, (listed.get(left + right) ?? 0) + 1);
  for (const piece of ids.keys())
    if (isPiece(piece) && countSplits(piece, isPiece) > (listed.get(piece) ?? 0)) return true;
  return false;
}

/** In how many ways a piece can be cut into two others. */
function countSplits(piece: string, isPiece: (text: string) => boolean): number {
  let count = 0;
  for (let at = 1; at < piece.length; at++) if (isPiece(piece.slice(0, at)) && isPiece(piece.slice(at))) count++;
  return count;
}

/** The members of a Sequence, or the one part that there is. */
function partsOf(json: object | null): PartJson[] {
  if (!isObject(json)) return [];
  const members = json.normalizers ?? json.pretokenizers;
  return Array.isArray(members) ? members.flatMap(partsOf) : [json as PartJson];
}
