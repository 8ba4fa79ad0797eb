// A decoder-only language model, described independently of its family. It follows from config.json and the family's row in
// families/; the graphs of src/forward/ are built from nothing else.

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

/** What may differ from one decoder layer to the next. A width of 0 means that the sublayer is absent. */
export interface LayerSpec {
  readonly intermediateSize: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  /** Tokens that a query attends to, its own included; undefined = all. */
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

/** The RMSNorms of a decoder layer: of the input of attention and MLP, and of their output before it is added. */
export type NormRole = "attentionNorm" | "attentionOutputNorm" | "mlpNorm" | "mlpOutputNorm";

/** The norms that a layer has and their names in a Hugging Face folder, where one name means different norms in two families. */
export type NormNames = Readonly<Partial<Record<NormRole, string>>>;

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
  readonly normNames: NormNames;
  /** Whether the outputs of attention and MLP are normed, too (Gemma). */
  readonly sandwichNorms: boolean;
  /** Scores are q·k × attentionScale. */
  readonly attentionScale: number;
  /** Hidden states start as embedding × embeddingScale. */
  readonly embeddingScale: number;
}
