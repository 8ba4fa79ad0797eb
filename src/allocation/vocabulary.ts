// The vocabulary in the budget: what it gives counts first, and neurons make up the rest.
import type { BeforeAfter } from "../events/common.ts";
import type { PrunePlan } from "../events/prune.ts";
import type { VocabularyResult } from "../events/vocabulary.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { countParameters } from "../model/spec/parameters.ts";

/** So many rows may stay for a fraction of all parameters to go; 0 where nothing says that any may. */
export function enoughTokens(spec: DecoderSpec, sparsity: number): number {
  if (sparsity === 0) return 0;
  const { total } = countParameters(spec);
  const perRow = total - countParameters({ ...spec, vocabSize: spec.vocabSize - 1 }).total;
  return Math.max(0, spec.vocabSize - Math.ceil((sparsity * total) / perRow));
}

/** The sparsity that is left for a model whose vocabulary is cut, where `sparsity` counts the whole. */
export const remainingSparsity = (sparsity: number, { before, after }: BeforeAfter): number =>
  Math.max(0, (sparsity * before - (before - after)) / after);

/** Figures of what becomes of a cut model, told of the whole. */
export function countedWhole<F extends Pick<PrunePlan, "parameters" | "bytes" | "sparsity">>(
  figures: F,
  vocabulary: VocabularyResult | undefined,
): F {
  if (vocabulary === undefined) return figures;
  const { parameters, bytes } = vocabulary;
  return {
    ...figures,
    parameters: { ...figures.parameters, before: parameters.before },
    bytes: { ...figures.bytes, before: bytes.before },
    sparsity: { ...figures.sparsity, all: 1 - figures.parameters.after / parameters.before },
  };
}
