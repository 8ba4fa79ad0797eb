// What a checkpoint is, seen from its headers: the answer of `comp inspect`.

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
  readonly parameters: ParameterCounts;
  /** Bytes of all weights in the files. */
  readonly bytes: number;
  /** Tensors by element type, such as { F16: 272 }. */
  readonly dtypes: Readonly<Record<string, number>>;
  readonly tokenizer: TokenizerFacts | undefined;
}

export interface LayerShape {
  readonly intermediateSize: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  /** Tokens a query may look back on; undefined = all. */
  readonly slidingWindow: number | undefined;
}

export interface ParameterCounts {
  readonly embeddings: number;
  readonly attention: number;
  readonly mlp: number;
  readonly norms: number;
  /** 0 when the head is the embedding. */
  readonly head: number;
  readonly total: number;
}

export interface TokenizerFacts {
  /** Such as "BPE" or "Unigram". */
  readonly kind: string;
  readonly vocabSize: number;
  readonly addsBos: boolean;
  readonly chatTemplate: boolean;
}
