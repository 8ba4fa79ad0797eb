// What a checkpoint is, seen from its headers: the answer of `comp inspect`.
import type { Dtype } from "../checkpoint/dtype.ts";
import type { Model } from "../model/model.ts";
import type { LayerSpec } from "../model/spec/decoder-spec.ts";
import { countParameters } from "../model/spec/parameters.ts";
import type { Part } from "../model/spec/tensor-names.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

export interface Inspection {
  readonly model: string;
  readonly format: "safetensors" | "gguf";
  /** `model_type` of config.json. */
  readonly family: string;
  readonly hiddenSize: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly maxPositionEmbeddings: number;
  readonly tiedEmbeddings: boolean;
  readonly layers: readonly LayerShape[];
  /** Parameters by part; a head that is the embedding counts once, as embeddings. */
  readonly parameters: Readonly<Record<Part | "total", number>>;
  /** Bytes of all weights in the files. */
  readonly bytes: number;
  /** Tensors by element type, such as { F16: 272 }. */
  readonly dtypes: Readonly<Partial<Record<Dtype, number>>>;
  /** Undefined when the checkpoint has no tokenizer that can be used. */
  readonly tokenizer: TokenizerFacts | undefined;
}

export type LayerShape = Omit<LayerSpec, "rope">;

export interface TokenizerFacts {
  readonly vocabSize: number;
  readonly addsBos: boolean;
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
}

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
    layers: spec.layers.map(({ rope: _, ...shape }) => shape),
    parameters: { ...parts, total },
    bytes: tensors.reduce((sum, { byteLength }) => sum + byteLength, 0),
    dtypes,
    tokenizer: tokenizer && factsOf(tokenizer),
  };
}

const factsOf = ({ vocabSize, addsBos, bosTokenId, eosTokenIds }: Tokenizer): TokenizerFacts => ({
  vocabSize,
  addsBos,
  bosTokenId,
  eosTokenIds,
});
