// From text to token ids, as the Rust library huggingface/tokenizers has them: added tokens, normalizer, pre-tokenizer, model.
// What this project has no exact counterpart for is refused by name. Truncation and padding of the file are left aside, as
// transformers leaves them aside.
import type { AddedTokenJson, ModelJson, TokenizerJson } from "../tokenizer-json.ts";
import { isPieceList } from "../tokenizer-json.ts";
import { sectionCutter } from "./added-tokens.ts";
import { createBpe } from "./bpe.ts";

import { createNormalizer, type Normalize } from "./normalizers.ts";
import { createPreTokenizer, type EncodePiece, type PreTokenize } from "./pre-tokenizers.ts";
import { createUnigram } from "./unigram.ts";
import { createWordLevel, createWordPiece } from "./word-piece.ts";

/** @throws {Error} naming the part of the tokenizer that is not supported, or that is at odds with another */
export function createEncoder(json: TokenizerJson): (text: string) => number[] {
  const normalize = createNormalizer(json.normalizer);
  const preTokenize: PreTokenize =
    json.pre_tokenizer === null ? (piece) => [piece] : createPreTokenizer(json.pre_tokenizer);
  const encodePiece = createModel(json.model);
  const written = sectionCutter(
    json.added_tokens.filter((token) => !isNormalized(token)),
    ({ content }) => content,
  );
  const normalized = sectionCutter(json.added_tokens.filter(isNormalized), ({ content }) => normalize(content));
  return (text) => {
    const ids: number[] = [];
    const append = (more: readonly number[]): void => {
      for (const id of more) ids.push(id); // no spread: a book is too many arguments
    };
    for (const section of written(text)) {
      if (section.id !== undefined) {
        ids.push(section.id);
        continue;
      }
      const begins = section.start === 0 && !dropsBeginning(section.text, normalize);
      for (const part of normalized(normalize(section.text))) {
        if (part.id !== undefined) ids.push(part.id);
        else
          for (const piece of preTokenize({ text: part.text, first: begins && part.start === 0 }))
            if (piece.text !== "") append(encodePiece(piece.text));
      }
    }
    return ids;
  };
}

const isNormalized = ({ normalized, special }: AddedTokenJson): boolean => normalized ?? !special;

/** Whether the normalizer takes the first character away: what is left does not begin where the text began. */
function dropsBeginning(text: string, normalize: Normalize): boolean {
  const first = String.fromCodePoint(text.codePointAt(0)!);
  return normalize(`${first}x`) === normalize("x");
}

/** The model alone: what becomes of one piece of text. @throws {Error} for a kind that is not supported */
export function createModel(model: ModelJson): EncodePiece {
  switch (kindOf(model)) {
    case "BPE":
      return createBpe(model);
    case "Unigram":
      return createUnigram(model);
    case "WordPiece":
      return createWordPiece(model);
    case "WordLevel":
      return createWordLevel(model);
    default:
      throw new Error(`its model ${String(model.type)} is not supported`);
  }
}

/** Older files leave the kind to be seen from what there is. */
export function kindOf(model: ModelJson): string {
  if (model.type !== undefined) return model.type;
  if (isPieceList(model.vocab)) return "Unigram";
  if (model.merges !== undefined) return "BPE";
  return model.continuing_subword_prefix === undefined ? "WordLevel" : "WordPiece";
}
