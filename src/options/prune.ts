// How to prune. The schema holds name, range, default and meaning of each option; the command line's flags and help, the checks
// of the library and the options kept in pruning.json all come from it.
import * as z from "zod";
import { seed, threads } from "./common.ts";

/** One calibration text as data: its name is for messages and reports. */
export interface CalibrationText {
  readonly name: string;
  /** Plain text, or JSON Lines with `text` or `messages` when the name ends in `.jsonl`. */
  readonly text: string;
}

export type Criterion = "loss" | "obs" | "condition" | "wanda" | "fluctuation" | "taylor" | "magnitude" | "random";
export type Recovery = "none" | "mask" | "least-squares" | "dense-target" | "bias";
/** How the neurons to remove are shared out between the layers. */
export type Allocation = "even" | "loss" | "global";
export type PresetName =
  | "best"
  | "osscar"
  | "wanda-sp"
  | "flap"
  | "llm-pruner"
  | "shortgpt"
  | "comp-paper"
  | "magnitude"
  | "random";

/** How to prune. Every field has a default, its own or the preset's (presets.ts); `sparsity` alone suffices. */
export interface PruneOptions {
  /** The method that decides whatever else is left open. */
  readonly preset: PresetName;
  /** Fraction of the parameters to remove, 0..0.95; under a limit of quality the most. */
  readonly sparsity: number;
  /** Remove only so much that KL(dense ‖ pruned) on held-out calibration windows stays within this, nats per token. */
  readonly maxKl?: number | undefined;
  /** The same for the perplexity: 0.15 = at most 15 % more than the dense model's. */
  readonly maxPerplexityIncrease?: number | undefined;
  /** Which parameters the fraction counts: all of the checkpoint's, or those of the decoder layers. */
  readonly sparsityOf: "all" | "decoder";
  /**
   * What may be cut inside a layer: "mlp" its neurons alone; no layers go then, unless they are asked for. "all": where the
   * loss decides what each layer gives, also heads, attentions and whole MLPs.
   */
  readonly prune?: "mlp" | "all" | undefined;
  /** How neurons are scored; the name of a criterion of one's own is recorded here too. */
  readonly criterion: Criterion | (string & {});
  /**
   * The same width in every kept layer, or each layer its own, by `allocation` and `spare`; "auto" is per layer for a GGUF file
   * that stock llama.cpp then loads, else equal.
   */
  readonly widths: "auto" | "equal" | "per-layer";
  readonly allocation: Allocation;
  /** How many of the first and of the last layers keep all their neurons. */
  readonly spare: readonly number[];
  /** How the kept weights make up for what was removed. */
  readonly recovery: Recovery;
  /**
   * Whole layers to remove: how many (by Block Influence, or by measured loss with the criterion `loss`), or which (indices of
   * the source model). "auto": as neurons alone do not suffice, and with one width for all as trials show to be worth it; "half": for at most half of what is to go; "only": for all of it.
   */
  readonly layers: "auto" | "half" | "only" | number | number[];
  /**
   * Query heads to remove from each key-value group of every layer. "auto": where heads may be cut and no allocation decides,
   * as large a share as of the rest.
   */
  readonly heads: "auto" | number;
  /** Whole key-value groups to remove from every layer, with their query heads; "auto" likewise, where a group is one head. */
  readonly kvGroups: "auto" | number;
  /** The kept width is a multiple of this; undefined = 32 where that still reaches the sparsity, else 1. */
  readonly multipleOf?: number | undefined;
  /** Texts to calibrate on; with none, the model's own samples or the bundled mix. */
  readonly calibration: CalibrationText[];
  /**
   * Share of the calibration windows that the model writes itself beside the given texts, as far as its weights fit into memory
   * for that: what it has learnt is more than any text shows.
   */
  readonly ownText: number;
  /** Calibration windows; undefined = what the widest layer needs (calibration/amount.ts). */
  readonly samples?: number | undefined;
  /** Tokens in a calibration window. */
  readonly context: number;
  readonly seed: number;
  /** Element type written; "auto" = the source's, f16 when that is a quantized GGUF; "q8_0" for GGUF outputs only. */
  readonly dtype: "auto" | "f32" | "f16" | "bf16" | "q8_0";
  /** Largest file of weights, such as "5GB" (decimal units). */
  readonly maxShardSize: string;
  /**
   * Damping of the least squares and of the inverse, relative to the mean of the Gram matrix's diagonal; the recovery
   * "dense-target" takes up to a thousand times as much where there is little text and held-out windows speak for it.
   */
  readonly ridge: number;
  /** Plan only: read headers, write nothing. */
  readonly dryRun: boolean;
  /** Arithmetic threads; undefined = all cores. */
  readonly threads?: number | undefined;
}

/** Whether pruning stops where a limit of quality is reached. */
export const isGated = ({
  maxKl,
  maxPerplexityIncrease,
}: Pick<PruneOptions, "maxKl" | "maxPerplexityIncrease">): boolean =>
  maxKl !== undefined || maxPerplexityIncrease !== undefined;

/** What a preset decides. */
export type PresetChoices = Pick<
  PruneOptions,
  "criterion" | "recovery" | "allocation" | "spare" | "layers" | "widths" | "ownText"
>;

/** Options as they are given: what is left open is the preset's to decide, or follows from the others. */
export type GivenPruneOptions = Omit<PruneOptions, keyof PresetChoices | "sparsity"> & {
  readonly sparsity?: number | undefined;
} & {
  readonly [Name in keyof PresetChoices]?: (Name extends "criterion" ? Criterion : PresetChoices[Name]) | undefined;
};

/** A share: a number up to 1, since 15 would be meant as 15 %, or a percentage as text. */
const share = z.union([
  z.number().min(0.0001).max(1),
  z
    .string()
    .regex(/^\d+(\.\d+)? ?%$/)
    .transform((text) => Number.parseFloat(text) / 100)
    .pipe(z.number().min(0.0001).max(100)),
]);

const headCount = z
  .union([z.literal("auto"), z.int().min(0).max(16384)])
  .default("auto")
  .meta({ value: "auto|N", expected: "auto or a number of heads" });

const BY_PRESET = { fallback: "the preset's" };

export const PruneOptions: z.ZodObject = z.strictObject({
  sparsity: z
    .number()
    .min(0)
    .max(0.95)
    .optional()
    .describe("fraction of the parameters to remove; under a limit of quality the most")
    .meta({ fallback: "0.2; under a limit 0.5" }),
  maxPerplexityIncrease: share
    .optional()
    .describe("remove as much as leaves the perplexity on held-out text within this of the dense model's")
    .meta({ value: "SHARE", expected: "a share such as 15% or 0.15", fallback: "no limit" }),
  maxKl: z
    .number()
    .min(0.0001)
    .max(100)
    .optional()
    .describe("the same for the KL divergence, nats a token")
    .meta({ fallback: "no limit" }),
  sparsityOf: z.enum(["all", "decoder"]).default("all").describe("which parameters the fraction counts"),
  preset: z
    .enum(["best", "osscar", "wanda-sp", "flap", "llm-pruner", "shortgpt", "comp-paper", "magnitude", "random"])
    .default("best")
    .describe("the method; the flags that follow override it"),
  prune: z
    .enum(["mlp", "all"])
    .optional()
    .describe("neurons only, to compare methods on equal terms, or heads and whole parts too where layers differ")
    .meta({ fallback: "what the preset cuts" }),
  criterion: z
    .enum(["loss", "obs", "condition", "wanda", "fluctuation", "taylor", "magnitude", "random"])
    .optional()
    .describe("how neurons are scored")
    .meta(BY_PRESET),
  recovery: z
    .enum(["none", "mask", "least-squares", "dense-target", "bias"])
    .optional()
    .describe("how the kept weights make up for what was removed")
    .meta(BY_PRESET),
  widths: z
    .enum(["auto", "equal", "per-layer"])
    .optional()
    .describe("one width for all layers, or each layer its own; auto: per layer in GGUF")
    .meta(BY_PRESET),
  allocation: z
    .enum(["even", "loss", "global"])
    .optional()
    .describe("what each layer gives: the same, by loss, or by one ranking of all neurons")
    .meta(BY_PRESET),
  spare: z
    .array(z.int().min(0).max(4096))
    .length(2)
    .optional()
    .describe("how many first and last layers keep all neurons")
    .meta({ value: "FIRST,LAST", expected: "two numbers of layers, such as 4,2", ...BY_PRESET }),
  layers: z
    .union([z.enum(["auto", "half", "only"]), z.int().min(0).max(4096), z.array(z.int().min(0).max(4096))])
    .optional()
    .describe("whole layers to remove: how many, or which (7,8; a lone index is 7,)")
    .meta({
      value: "auto|half|only|N|LIST",
      expected: "auto, half, only, a number of layers, or indices such as 7,8",
      ...BY_PRESET,
    }),
  heads: headCount.describe(
    "query heads to remove from each key-value group; auto: as a preset that cuts heads has it",
  ),
  kvGroups: headCount.describe("whole key-value groups to remove from each layer"),
  multipleOf: z
    .int()
    .min(1)
    .max(4096)
    .optional()
    .describe("kept width is a multiple of this; 256 suits K-quants")
    .meta({ fallback: "32 where the model allows it" }),
  calibration: z
    .array(z.strictObject({ name: z.string(), text: z.string() }))
    .default([])
    .describe("texts to calibrate on"),
  ownText: z
    .number()
    .min(0)
    .max(0.9)
    .optional()
    .describe("share of the windows that the model writes itself beside given texts")
    .meta({ expected: "a number between 0 and 0.9, such as 0.5", ...BY_PRESET }),
  samples: z
    .int()
    .min(1)
    .max(65536)
    .optional()
    .describe("calibration windows")
    .meta({ fallback: "24 tokens a neuron of a layer, 16,384 to 65,536 in all" }),
  context: z.int().min(8).max(131072).default(256).describe("tokens in a calibration window"),
  seed,
  dtype: z
    .enum(["auto", "f32", "f16", "bf16", "q8_0"])
    .default("auto")
    .describe("element type of the written weights; q8_0 in GGUF only"),
  maxShardSize: z
    .string()
    .regex(/^\d+(\.\d+)? ?[KMG]?B$/i)
    .default("5GB")
    .describe("largest file of weights")
    .meta({ value: "SIZE", expected: "a size such as 500MB or 5GB" }),
  ridge: z
    .number()
    .min(0)
    .max(10)
    .default(0.001)
    .describe("damping, relative to the mean diagonal; with little text best takes more"),
  dryRun: z.boolean().default(false).describe("plan only: read headers, write nothing"),
  threads,
}) satisfies z.ZodType<GivenPruneOptions>;
