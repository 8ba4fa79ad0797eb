// Two models of different vocabularies made comparable: the dense one with the tokens alone that the smaller one has, so that its
// probabilities are over these, renormalised.
import { CompError } from "../errors.ts";
import { type Model, openModel } from "../model/model.ts";
import { cutVocabulary } from "../model/vocabulary-cut.ts";
import { readTokenizerSource } from "../tokenizer/tokenizer-source.ts";
import { pieceIds } from "../tokenizer/trim/needed-tokens.ts";
import { createRenumbering } from "../tokenizer/trim/renumbering.ts";

/**
 * The dense model with the tokens of `model`, under the same ids.
 *
 * @throws {CompError} "option" when one of the tokens is not the dense model's, or they come in another order
 */
export async function withTokensOf(model: Model, dense: Model): Promise<Model> {
  if (model.spec.vocabSize > dense.spec.vocabSize) throw differ(model, dense);
  const [own, whole] = [await readTokenizerSource(model.checkpoint), await readTokenizerSource(dense.checkpoint)];
  const idsInDense = pieceIds(whole.json);
  const kept = [...pieceIds(own.json)]
    .filter(([, id]) => id < model.spec.vocabSize)
    .sort(([, a], [, b]) => a - b)
    .map(([piece]) => idsInDense.get(piece));
  const isAscending = kept.every((id, i) => id !== undefined && (i === 0 || id > kept[i - 1]!));
  if (!isAscending || kept.length !== model.spec.vocabSize) throw differ(model, dense);
  return openModel(await cutVocabulary(dense, whole.json, createRenumbering(kept as number[])));
}

function differ(model: Model, dense: Model): CompError {
  const [own, other] = [model.spec.vocabSize, dense.spec.vocabSize];
  return new CompError("option", `the vocabularies differ: ${own} tokens here, ${other} in ${dense.checkpoint.name}`, {
    hint: "--dense must be the model that was pruned",
  });
}
