// How to prune. The schema holds name, range, default and meaning of each option; the command line's flags and help, the checks
// of the library and the options kept in pruning.json all come from it.
import * as z from "zod";
import { type ExpertCriterionName, expertCriteria } from "../importance/experts/index.ts";
import { type CriterionName, criteria } from "../importance/index.ts";
import { type RecoveryName, recoveries } from "../recover/index.ts";
import { device, fraction, seed, threads } from "./common.ts";
import { DTYPES } from "./dtypes.ts";
import { type Preset, presets } from "./presets.ts";
import { namesOf } from "./schema.ts";
import { vocabularySize } from "./vocabulary.ts";

/** One calibration text as data: its name is for messages and reports. */
export interface CalibrationText {
  readonly name: string;
  /**
   * The documents; or a string that holds them: JSON with `text` or `messages` when the name ends in `.jsonl`, `.ndjson` or
   * `.json`, CSV with a column `text` when in `.csv` or `.tsv`, else plain text, one document.
   */
  readonly text: string | readonly string[];
}

const texts = z
  .array(z.strictObject({ name: z.string(), text: z.union([z.string(), z.array(z.string()).readonly()]) }))
  .default([]);

const headCount = z
  .union([z.literal("auto"), z.int().min(0).max(16384)])
  .default("auto")
  .meta({ value: "auto|N", expected: "auto or a number of heads" });

/** A size in bytes with its unit, to be read by `parseByteSize`. */
export const byteSize = z
  .string()
  .regex(/^\d+(\.\d+)? ?[KMG]?B$/i)
  .meta({ value: "SIZE", expected: "a size such as 500MB or 5GB" });

/** "5GB", "500 MB", "1024B" */
export const BYTE_SIZE: RegExp = /^\d+(\.\d+)? ?[KMG]?B$/i;

const BY_PRESET = { fallback: "the preset's" };

/** How to prune; `sparsity` alone suffices. What has neither a value nor a default of its own is the preset's to decide. */
export const PruneOptions = z.strictObject({
  sparsity: fraction(0, 0.95)
    .optional()
    .describe("fraction of the parameters to remove, 0.2 or 20%; under a limit of quality the most")
    .meta({ fallback: "0.2; under a limit 0.5" }),
  maxPerplexityIncrease: fraction(0.0001, 1, 100)
    .optional()
    .describe("remove as much as leaves the perplexity on held-out text within this of the dense model's")
    .meta({ value: "SHARE", expected: "a share such as 15% or 0.15", fallback: "no limit" }),
  /** Remove only so much that KL(dense ‖ pruned) on held-out calibration windows stays within this, nats per token. */
  maxKl: z
    .number()
    .min(0.0001)
    .max(100)
    .optional()
    .describe("the same for the KL divergence, nats a token")
    .meta({ fallback: "no limit" }),
  sparsityOf: z.enum(["all", "decoder"]).default("all").describe("which parameters the fraction counts"),
  preset: z.enum(namesOf(presets)).default("best").describe("the method; the flags that follow override it"),
  /**
   * "mlp": neurons alone; no layers go then, unless they are asked for. "all": where the loss decides what each layer gives, also
   * heads, attentions and whole MLPs; where experts compete with neurons, heads do too.
   */
  prune: z
    .enum(["mlp", "all"])
    .optional()
    .describe("neurons only, to compare methods on equal terms, or heads and whole parts too where layers differ")
    .meta({ fallback: "what the preset cuts" }),
  criterion: z.enum(namesOf(criteria)).optional().describe("how neurons are scored").meta(BY_PRESET),
  recovery: z
    .enum(namesOf(recoveries))
    .optional()
    .describe("how the kept weights make up for what was removed")
    .meta(BY_PRESET),
  /** "auto" is per layer for a GGUF file that stock llama.cpp then loads, else equal. */
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
  /**
   * How many (by Block Influence, or by single-layer ablation with the criterion `loss`), or which (indices of the source
   * model). "auto": as neurons alone do not suffice, and with one width for all as trials show to be worth it; "half": for at
   * most half of what is to go; "only": for all of it.
   */
  layers: z
    .union([z.enum(["auto", "half", "only"]), z.int().min(0).max(4096), z.array(z.int().min(0).max(4096))])
    .optional()
    .describe("whole layers to remove: how many, or which (7,8; a lone index is 7,)")
    .meta({
      value: "auto|half|only|N|LIST",
      expected: "auto, half, only, a number of layers, or indices such as 7,8",
      ...BY_PRESET,
    }),
  /** "auto": where heads may be cut and no allocation decides, as large a share as of the rest; beside experts "auto" by trials. */
  heads: headCount.describe(
    "query heads to remove from each key-value group; auto: as a preset that cuts heads has it",
  ),
  /** "auto" likewise, where a group is one head. */
  kvGroups: headCount.describe("whole key-value groups to remove from each layer"),
  /** "only": as many as the sparsity takes. "auto": trials share what is to go between experts, neurons, and open layers and heads. */
  experts: z
    .union([z.enum(["auto", "only"]), z.int().min(0).max(65536), fraction(0, 0.99)])
    .optional()
    .describe("whole experts to remove from each mixture: how many, or what share of them")
    .meta({
      value: "auto|only|N|SHARE",
      expected: "auto, only, a number of experts, or a share such as 25%",
      ...BY_PRESET,
    }),
  expertCriterion: z.enum(namesOf(expertCriteria)).optional().describe("how whole experts are scored").meta(BY_PRESET),
  /** undefined: 32 where that still reaches the sparsity, else 1. */
  multipleOf: z
    .int()
    .min(1)
    .max(4096)
    .optional()
    .describe("kept width is a multiple of this; 256 suits K-quants")
    .meta({ fallback: "32 where the model allows it" }),
  calibration: texts.describe("texts to calibrate on"),
  /** With none all tokens stay. */
  vocabulary: texts.describe("texts whose tokens stay, all others go"),
  vocabularySize,
  /** As far as the weights fit into memory for that: what the model has learnt is more than any text shows. */
  ownText: fraction(0, 0.9)
    .optional()
    .describe("share of the windows that the model writes itself beside given texts")
    .meta({ expected: "a number between 0 and 0.9, such as 0.5", ...BY_PRESET }),
  /** undefined: what the widest layer needs (calibration/amount.ts). */
  samples: z
    .int()
    .min(1)
    .max(65536)
    .optional()
    .describe("calibration windows")
    .meta({ fallback: "24 tokens a neuron of a layer, 16,384 to 65,536 in all" }),
  context: z.int().min(8).max(131072).default(256).describe("tokens in a calibration window"),
  seed,
  /** "same": each tensor's own; "auto": likewise, but f16 in a folder for what is quantized. Quantized ones in GGUF only. */
  dtype: z
    .enum(["auto", "same", ...DTYPES])
    .default("auto")
    .describe("type of the written weights: f32, f16, bf16; in GGUF q8_0 … q2_k, iq4_xs as llama.cpp; same: as each is")
    .meta({ value: "auto|same|TYPE", expected: `auto, same, ${DTYPES.slice(0, -1).join(", ")} or ${DTYPES.at(-1)}` }),
  /** "auto": where calibration tells it. */
  importance: z
    .enum(["auto", "on", "off"])
    .default("auto")
    .describe("quantize so that inputs of calibration that are large lose least"),
  maxShardSize: byteSize.default("5GB").describe("largest file of weights"),
  /**
   * The recovery "dense-target" takes up to a thousand times as much where there is little text and held-out windows speak for it.
   */
  ridge: z
    .number()
    .min(0)
    .max(10)
    .default(0.001)
    .describe("damping, relative to the mean diagonal; with little text best takes more"),
  memory: byteSize
    .optional()
    .describe("keep within so much memory; with little more waits on the disk")
    .meta({ fallback: "half of what is free, at most 4GB" }),
  /** What is written does not depend on it. */
  probes: z
    .int()
    .min(0)
    .max(64)
    .default(16)
    .describe("questions of each probe to ask before and after, for what perplexity hides; 0 for none"),
  dryRun: z.boolean().default(false).describe("plan only: read headers, write nothing"),
  device,
  threads,
});

/** Options as they are given, checked and with the defaults that do not depend on the preset. */
export type PruneOptions = z.output<typeof PruneOptions>;

/** What a preset decides where nothing else is asked for. */
interface PresetChoices {
  readonly sparsity: number;
  /** The name of a criterion of one's own is recorded here too. */
  readonly criterion: CriterionName | (string & {});
  readonly recovery: RecoveryName;
  readonly widths: "auto" | "equal" | "per-layer";
  readonly allocation: Preset["allocation"];
  readonly spare: readonly number[];
  readonly layers: "auto" | "half" | "only" | number | readonly number[];
  readonly experts: "auto" | "only" | number;
  readonly expertCriterion: ExpertCriterionName;
  readonly ownText: number;
}

/** Options of which none is left open. */
export type SettledOptions = Omit<PruneOptions, keyof PresetChoices> & PresetChoices;

/**
 * The options of a run without the texts, whose names stand in the summaries of calibration and vocabulary, and without what is
 * asked of the finished model.
 */
export type RecordedOptions = Omit<SettledOptions, "calibration" | "vocabulary" | "probes">;

/** What of the options is kept. */
export function recordedOptions(settled: SettledOptions): RecordedOptions {
  const { calibration: _, vocabulary: __, probes: ___, ...options } = settled;
  return options;
}

/** Bytes of a size such as "5GB", "500 MB" or "1024B"; units are decimal, as disks are sold. */
export function parseByteSize(text: string): number {
  const [, count, unit] = /^([\d.]+) ?([KMG]?)B$/i.exec(text)!;
  return Math.floor(Number(count) * 1000 ** ["", "K", "M", "G"].indexOf(unit!.toUpperCase()));
}
