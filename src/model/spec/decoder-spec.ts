// A decoder-only language model, described independently of its family. It follows from config.json and the family's row in
// families/; the graphs of src/forward/ are built from nothing else.
import { attentionOf, type LayerSpec } from "./parts.ts";
import { scaledLength } from "./rope.ts";

export type Activation = "silu" | "gelu" | "gelu-tanh" | "relu" | "relu2";

export interface Biases {
  readonly qkv: boolean;
  readonly o: boolean;
  /** gate_proj, up_proj and down_proj. */
  readonly mlp: boolean;
  /** down_proj: with `mlp`, or alone where a modelling file allows it. */
  readonly down: boolean;
}

/** The norms of a decoder layer: of the input of token and channel mixer, and of their output before it is added. */
export type NormRole = "attentionNorm" | "attentionOutputNorm" | "mlpNorm" | "mlpOutputNorm";

/**
 * How queries and keys are normed: not at all; each head by the same weights (Qwen 3, Gemma 3); each head by its own (StableLM);
 * all heads together (OLMo 2), so that none of them can go without changing the others.
 */
export type QueryKeyNorm = "none" | "head" | "each-head" | "all-heads";

/** How the router of a mixture chooses experts and weighs what they write; logits r = W x (+ b). */
export interface Routing {
  /** Scores of all experts: softmax(r), or a sigmoid of each. */
  readonly scores: "softmax" | "sigmoid";
  /** The scores of the chosen experts are divided by their sum, plus this; undefined: they are taken as they are. */
  readonly renormalised: { readonly plus: number } | undefined;
  /** What the weights are multiplied by in the end. */
  readonly scale: number;
  /** The router has a bias. */
  readonly bias: boolean;
  /** A number is added to the score of each expert for the choice, and not for the weight (DeepSeek 3). */
  readonly correction: boolean;
  /** Only experts of the groups with the best two scores are chosen; undefined: of all. */
  readonly groups: { readonly count: number; readonly chosen: number } | undefined;
  /** The experts have biases. */
  readonly expertBias: boolean;
}

/** What all layers of a model share, and what stands before and behind them. */
export interface DecoderTraits {
  /** Mean square alone, or mean and variance. */
  readonly normKind: "rms" | "layer";
  /** Norms multiply by (normOffset + weight): 1 for Gemma, else 0. */
  readonly normOffset: 0 | 1;
  /** Norms have a bias. */
  readonly normBias: boolean;
  /** The norms that each layer has. */
  readonly norms: readonly NormRole[];
  /** Token and channel mixer read the same states; without a `mlpNorm` also through the same norm. Else one after the other. */
  readonly parallel: boolean;
  readonly queryKeyNorm: QueryKeyNorm;
  /** Queries and keys are rotated before they are normed. */
  readonly normsRotated: boolean;
  /** Leading elements of each head that are rotated; at most headDim, even. */
  readonly rotarySize: number;
  /** What attention gives is multiplied by a sigmoid of the layer's input, element by element (Qwen 3.5). */
  readonly outputGate: boolean;
  /** Scores are q·k × attentionScale. */
  readonly attentionScale: number;
  /** Queries grow with their position p by 1 + beta · log(1 + ⌊p / original⌋) (Llama 4, Ministral 3). */
  readonly queryGrowth: { readonly beta: number; readonly original: number } | undefined;
  /** Scores s become cap · tanh(s / cap) (Gemma 2). */
  readonly scoreCap: number | undefined;
  /** The same of logits. */
  readonly logitCap: number | undefined;
  /** Each head has a number that takes part in the softmax as the score of a key without a value (gpt-oss). */
  readonly attentionSinks: boolean;
  /** act(gate(x)) ⊙ up(x), or act(up(x)). */
  readonly gated: boolean;
  /** Instead: g · sigmoid(alpha · g) ⊙ (u + 1), g = min(gate(x), limit), u = up(x) within ± limit (gpt-oss). */
  readonly clampedGate: { readonly alpha: number; readonly limit: number } | undefined;
  /** Of mixtures of experts; undefined where no layer has one. */
  readonly routing: Routing | undefined;
  /** Hidden states start as embedding × embeddingScale. */
  readonly embeddingScale: number;
  /** What a mixer writes is multiplied by this before it is added. */
  readonly residualScale: number;
  /** Logits are multiplied by this. */
  readonly logitScale: number;
  /** A learned vector for each position p, row p + offset of a matrix, is added to the embedding. */
  readonly learnedPositions: { readonly offset: number } | undefined;
}

export interface DecoderSpec extends DecoderTraits {
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
}

/** Norms before attention and MLP. */
export const PRE_NORMS: readonly NormRole[] = ["attentionNorm", "mlpNorm"];
/** Norms of what they write. */
export const POST_NORMS: readonly NormRole[] = ["attentionOutputNorm", "mlpOutputNorm"];
/** Both. */
export const SANDWICH_NORMS: readonly NormRole[] = ["attentionNorm", "attentionOutputNorm", "mlpNorm", "mlpOutputNorm"];

/** Whether what attention and MLP write is normed before it is added. */
export const normsOutputs = ({ norms }: Pick<DecoderSpec, "norms">): boolean => norms.includes("mlpOutputNorm");

/** Tokens of the longest text that the model is made for, its rotary scaling included. */
export const longestText = ({
  layers,
  maxPositionEmbeddings,
}: Pick<DecoderSpec, "layers" | "maxPositionEmbeddings">): number =>
  layers.reduce((longest, layer) => {
    const rope = attentionOf(layer)?.rope;
    return rope === undefined ? longest : Math.max(longest, scaledLength(rope));
  }, maxPositionEmbeddings);

/** Whether token and channel mixer read the states through one and the same norm. */
export const sharesNorm = ({ parallel, norms }: Pick<DecoderSpec, "parallel" | "norms">): boolean =>
  parallel && !norms.includes("mlpNorm");
