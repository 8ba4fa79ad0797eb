// What is told of a model as it stands: what it is, that it is whole, how good it is on a text, and how it continues a prompt.
import type { DeviceName } from "../options/common.ts";
import type { ProtocolName } from "../options/protocols.ts";
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

export type VerifyEvent =
  | StageEvent
  | WarningEvent
  | ({ readonly type: "check" } & Check)
  | { readonly type: "done"; readonly result: Verification };

/** What a check found in a checkpoint that passed it; one that does not pass ends with an error. */
export type Check =
  /** Headers, sizes and the index of the files agree. */
  | { readonly name: "files"; readonly files: number; readonly bytes: number }
  /** Names and shapes are those that configuration or header ask for, nothing is missing or unexpected. */
  | {
      readonly name: "tensors";
      readonly tensors: number;
      readonly parameters: number;
      /** Tensors by element type. */
      readonly dtypes: Readonly<Record<string, number>>;
    }
  /** Every stored value is finite. */
  | { readonly name: "values"; readonly values: number }
  /** A text becomes ids that have an embedding, and text again; so do the special tokens. */
  | ({ readonly name: "tokenizer"; readonly characters: number; readonly tokens: number } & TokenizerFacts)
  /** The model predicts a text with finite logits. */
  | {
      readonly name: "forward";
      readonly perplexity: number;
      /** Targets of the perplexity. */
      readonly tokens: number;
      /** Ids that the first tokens continue, BOS included where the tokenizer adds it. */
      readonly prompt: readonly number[];
      /** Ids of the greedy continuation. */
      readonly firstTokens: readonly number[];
    }
  | ({ readonly name: "llama.cpp" } & LlamaCppAnswer);

/** llama.cpp's greedy choice at each of the first tokens; or why it was not asked. */
export type LlamaCppAnswer =
  | { readonly loaded: true; readonly firstTokens: readonly number[] }
  | { readonly loaded: false; readonly reason: string };

/** The proof that a checkpoint loads, is whole, and runs. */
export interface Verification {
  readonly model: string;
  readonly format: "safetensors" | "gguf";
  /** `model_type` of config.json. */
  readonly family: string;
  /** All of them, passed, in the order in which they were made. */
  readonly checks: readonly Check[];
  readonly seconds: number;
}

export type EvalEvent = StageEvent | WarningEvent | TaskEvent | { readonly type: "done"; readonly result: Evaluation };

/** All that was asked of a model: the figures of a text and those of tasks, each where they were asked for. */
export interface Evaluation extends Partial<EvalResult> {
  readonly model: string;
  /** By the names of lm-evaluation-harness. */
  readonly tasks?: Readonly<Record<string, TaskFigures>>;
  readonly probes?: ProbeFigures;
  /** What computed. */
  readonly device: DeviceName;
  readonly seconds: number;
}

/**
 * What perplexity on prose does not show: the share of questions of which the right continuation is the likeliest, and the share
 * of greedy text that does not repeat itself.
 */
export interface ProbeFigures
  extends Readonly<Record<"arithmetic" | "copying" | "code" | "secondLanguage" | "json", number>> {
  /** Absent where a model is too large for the memory to generate text in little time. */
  readonly freshText?: number;
}

/** Zero-shot accuracy on a task. A standard error is that of the mean of a sample. */
export interface TaskFigures {
  /** Share of questions answered rightly. */
  readonly acc: number;
  readonly accStderr: number;
  /** The same where likelihoods are divided by the characters of each choice. */
  readonly accNorm?: number;
  readonly accNormStderr?: number;
  /** exp of the mean negative log-likelihood of a continuation, for tasks with but one. */
  readonly perplexity?: number;
  readonly perplexityStderr?: number;
  /** Questions. */
  readonly n: number;
}

/** The answers to the questions of a task, in their order. */
export interface TaskEvent {
  readonly type: "task";
  readonly name: string;
  readonly items: readonly TaskItem[];
}

export interface TaskItem {
  /** Of each choice, nats. */
  readonly logLikelihoods: readonly number[];
  /** Index of the right choice. */
  readonly answer: number;
  readonly correct: boolean;
  /** The same by likelihood per character, where the task counts it. */
  readonly correctNormalised?: boolean;
}

/** Quality of a model on a text; what compares it with a dense model is absent when none was given. */
export interface EvalResult {
  readonly model: string;
  readonly text: string; // name of the text
  readonly perplexity: number;
  /** Of UTF-8 text, which compares models of different tokenizers. */
  readonly bitsPerByte: number;
  /** Targets: the tokens that are judged. */
  readonly tokens: number;
  readonly protocol: ProtocolName;
  readonly windows: number;
  readonly context: number;
  /** Tokens from one window to the next, where windows overlap. */
  readonly stride?: number;
  readonly densePerplexity?: number;
  /** Mean KL(dense ‖ pruned), nats per target. */
  readonly klDivergence?: number;
  /** Fraction of targets for which both models rank the same token first. */
  readonly topOneAgreement?: number;
  /** So many tokens the model has where the dense one has more, whose probabilities are then over these, renormalised. */
  readonly keptTokens?: number;
  /** What computed. */
  readonly device: DeviceName;
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
  /** What computed. */
  readonly device: DeviceName;
}
