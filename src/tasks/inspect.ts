// What a checkpoint is, seen from its headers: the answer of `comp inspect`.
import type { Dtype } from "../checkpoint/dtype.ts";
import type { Inspection, TokenizerFacts } from "../events/model.ts";
import type { Model } from "../model/model.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { attentionOf, sizesOf } from "../model/spec/parts.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** Describes a model; reads no tensor data. */
export function inspectModel(model: Model, tokenizer: Tokenizer | undefined): Inspection {
  const { checkpoint, spec } = model;
  const tensors = [...model.tensors.values()];
  const { parts, total } = countParameters(spec);
  const dtypes: Partial<Record<Dtype, number>> = {};
  for (const { dtype } of tensors) dtypes[dtype] = (dtypes[dtype] ?? 0) + 1;
  return {
    model: checkpoint.name,
    format: checkpoint.format,
    family: spec.family,
    hiddenSize: spec.hiddenSize,
    headDim: spec.headDim,
    vocabSize: spec.vocabSize,
    maxPositionEmbeddings: spec.maxPositionEmbeddings,
    tiedEmbeddings: spec.tiedEmbeddings,
    layers: spec.layers.map((layer) => ({
      ...sizesOf(layer),
      mixer: layer.mixer?.kind,
      slidingWindow: attentionOf(layer)?.slidingWindow,
    })),
    parameters: { ...parts, total },
    bytes: tensors.reduce((sum, { byteLength }) => sum + byteLength, 0),
    dtypes,
    tokenizer: tokenizer && factsOf(tokenizer, spec.vocabSize),
  };
}

const factsOf = ({ vocabSize, addsBos, bosTokenId, eosTokenIds }: Tokenizer, embeddings: number): TokenizerFacts => ({
  vocabSize,
  withoutEmbedding: Math.max(0, vocabSize - embeddings),
  addsBos,
  bosTokenId,
  eosTokenIds,
});
