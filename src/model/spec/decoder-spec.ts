// A decoder-only language model in one family-independent description. The families (families.ts) fill it in from
// config.json; the graphs of src/forward/ are built from it and from nothing else.

export type Activation = "silu" | "gelu" | "gelu-tanh";

/** Rotary position embedding: the inverse frequencies follow from these fields alone. */
export type RopeSpec = { readonly theta: number } & (
  | { readonly kind: "default" }
  | { readonly kind: "linear"; readonly factor: number }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    }
);

/** What may differ from one decoder layer to the next. A width of 0 means that the part is absent. */
export interface LayerSpec {
  readonly intermediateSize: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  /** Tokens a query may look back on, itself included; undefined = all. */
  readonly slidingWindow: number | undefined;
  readonly rope: RopeSpec;
}

export interface Biases {
  readonly qkv: boolean;
  readonly o: boolean;
  /** gate_proj, up_proj and down_proj. */
  readonly mlp: boolean;
  /** down_proj: with `mlp`, or alone where a modelling file allows it. */
  readonly down: boolean;
}

export interface DecoderSpec {
  /** `model_type` of config.json. */
  readonly family: string;
  readonly hiddenSize: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly maxPositionEmbeddings: number;
  readonly normEpsilon: number;
  readonly layers: readonly LayerSpec[];
  readonly activation: Activation;
  readonly tiedEmbeddings: boolean;
  /** Which projections carry a bias vector. */
  readonly bias: Biases;
  /** RMSNorm multiplies by (normOffset + weight): 1 for Gemma, else 0. */
  readonly normOffset: 0 | 1;
  /** RMSNorm over each query and key head (Qwen 3, Gemma 3). */
  readonly queryKeyNorm: boolean;
  /** A second norm on what attention and MLP write (Gemma). */
  readonly sandwichNorms: boolean;
  /** Scores are q·k × attentionScale. */
  readonly attentionScale: number;
  /** Hidden states start as embedding × embeddingScale. */
  readonly embeddingScale: number;
}
