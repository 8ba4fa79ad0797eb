// What is told of a model as it stands: what it is, how good it is on a text, and how it continues a prompt.
import type { StageEvent, WarningEvent } from "./common.ts";

/** What a checkpoint is, as its headers tell. */
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
  readonly parameters: Readonly<Record<"embeddings" | "attention" | "mlp" | "norms" | "head" | "total", number>>;
  /** Bytes of all weights in the files. */
  readonly bytes: number;
  /** Tensors by element type, such as { F16: 272 }. */
  readonly dtypes: Readonly<Record<string, number>>;
  /** Undefined when the checkpoint has no tokenizer that can be used. */
  readonly tokenizer: TokenizerFacts | undefined;
}

/** Sizes of a decoder layer; 0 where there is nothing of the kind. */
export interface LayerShape {
  /** What mixes tokens; undefined where nothing does. */
  readonly mixer: "attention" | "short-convolution" | "gated-delta" | undefined;
  readonly intermediateSize: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  /** Tokens a query may look back on, itself included; undefined = all. */
  readonly slidingWindow: number | undefined;
}

export interface TokenizerFacts {
  readonly vocabSize: number;
  /** Tokens that the model has no embedding for: a text that holds one is refused. */
  readonly withoutEmbedding: number;
  readonly addsBos: boolean;
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
}

export type EvalEvent = StageEvent | WarningEvent | { readonly type: "done"; readonly result: EvalResult };

/** Quality of a model on a text; what compares it with a dense model is absent when none was given. */
export interface EvalResult {
  readonly model: string;
  readonly text: string; // name of the text
  readonly perplexity: number;
  /** Targets: every token of a window but its first. */
  readonly tokens: number;
  readonly windows: number;
  readonly context: number;
  readonly densePerplexity?: number;
  /** Mean KL(dense ‖ pruned), nats per target. */
  readonly klDivergence?: number;
  /** Fraction of targets for which both models rank the same token first. */
  readonly topOneAgreement?: number;
  readonly seconds: number;
}

export type GenerateEvent =
  | WarningEvent
  | ({ readonly type: "token" } & GeneratedToken)
  | { readonly type: "done"; readonly result: Generation };

/** One generated token; `text` may be empty while a character is incomplete. */
export interface GeneratedToken {
  readonly id: number;
  readonly text: string;
}

/** A prompt and how the model continued it. */
export interface Generation {
  readonly prompt: string;
  readonly text: string;
  /** Ids of the generated tokens. */
  readonly tokens: readonly number[];
}
