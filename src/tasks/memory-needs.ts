// The memory that the phases of a run take, from the headers alone.
import { sampleBytes } from "../calibration/self-generated.ts";
import { windowCount } from "../calibration/windows.ts";
import { TOKENS_PER_RUN } from "../forward/run/head.ts";
import { tileRanges } from "../forward/run/head-tiles.ts";
import { batchesOf } from "../forward/run/hidden-states.ts";
import { outputBytes } from "../forward/run/routed-sums.ts";
import { knownExperts } from "../importance/experts/reroute.ts";
import { packedLength } from "../linalg/packed-symmetric.ts";
import type { Method } from "../method/method.ts";
import { widestMlp } from "../model/config/layer-sizes.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { countParameters, largestLayer } from "../model/spec/parameters.ts";
import { type Mixture, mixtureOf, sizesOf } from "../model/spec/parts.ts";
import { keptBytes } from "../prune/gather-statistics.ts";
import { isScarce } from "../recover/choose-ridge.ts";
import {
  CLOSE_TOKENS,
  COST_TOKENS,
  CUT_TOKENS,
  closelyAblated,
  FACTOR_TOKENS,
  ROUGH_TOKENS,
} from "../sensitivity/text-lengths.ts";

/** Node, onnxruntime and a tokenizer. */
const BASE_BYTES = 300 * 2 ** 20;

/** Arrays that wait for the collector, and holes between those in use. */
const LOOSE_BYTES = 80 * 2 ** 20;

/** The same of large arrays, as a share of what a phase takes. */
const LOOSE_SHARE = 0.03;

/** What is kept of a batch on its way back, as a multiple of what a pass forward has: 1.4 were measured. */
const BACKWARD_ACTIVATIONS = 1.5;

export interface Work {
  readonly spec: DecoderSpec;
  readonly method: Method;
  /** Whether nothing is to go: the model is written as it is. */
  readonly copies: boolean;
  /** Whether text of the model's own was asked for, whatever it takes. */
  readonly asksOwnText: boolean;
  /** Whether the finished model generates text for the probes. */
  readonly probes?: boolean;
}

type ModelWork = Pick<Work, "spec" | "method">;

/**
 * What no run can do without: that of its largest phase.
 *
 * @param wholeLayers whether layers are held as a whole while they are pruned
 */
export function leastBytes(work: Work, wholeLayers = false): number {
  if (work.copies) return BASE_BYTES + 2 * layerBytes(work);
  const sweep = wholeLayers ? sweepBytes(work) : sweepBytesInParts(work);
  const phase = Math.max(sweep, measuringBytes(work), headBytes(work));
  return BASE_BYTES + LOOSE_BYTES + (1 + LOOSE_SHARE) * phase;
}

/** The largest layer as f32, with one of its experts. */
export const layerBytes = ({ spec }: Work): number => 4 * largestLayer(spec);

/** What experts read and what they write of all calibration tokens, and how these are routed. */
function routedBytes(work: Work): number {
  const { numExperts } = largestMixture(work.spec);
  return numExperts === 0 ? 0 : 4 * calibrationTokens(work) * (2 * work.spec.hiddenSize + 3 * numExperts);
}

/** The same while whole experts go: what is missing beside what they read, twice the routes, and inner products. */
function wholeExpertBytes(work: Work): number {
  const { spec, method } = work;
  if (method.experts.kind === "none") return 0;
  const { numExperts, expertsPerToken } = largestMixture(spec);
  const tokens = calibrationTokens(work);
  const known = Math.min(numExperts, knownExperts(expertsPerToken));
  const reroutes = method.expertCriterion.reroutes === true;
  const outputs = reroutes ? outputBytes(spec, batchTokens(work), known) + 2 * 4 * tokens * (1 + known) ** 2 : 0;
  return 4 * tokens * (2 * spec.hiddenSize + 7 * numExperts) + outputs;
}

const largestMixture = ({ layers }: DecoderSpec): Pick<Mixture, "numExperts" | "expertsPerToken"> => {
  const mixtures = layers.flatMap((layer) => mixtureOf(layer) ?? []);
  const most = (size: "numExperts" | "expertsPerToken"): number => Math.max(0, ...mixtures.map((one) => one[size]));
  return { numExperts: most("numExperts"), expertsPerToken: most("expertsPerToken") };
};

/** Bytes of the states of all calibration tokens, in one stream. */
export const streamBytes = (work: ModelWork): number => 4 * calibrationTokens(work) * work.spec.hiddenSize;

/** How many streams a sweep has. */
export const streamCount = ({ method }: ModelWork): number => (method.recovery.towardsDense === true ? 2 : 1);

/** Tokens of all calibration windows. */
export const calibrationTokens = ({ spec, method: { calibration } }: ModelWork): number =>
  windowCount(spec, calibration) * calibration.context;

/** Two forms of a layer, a batch of each stream, its activations, the matrices of the neurons, and what enters these if it is kept. */
function sweepBytes(work: Work): number {
  const batches = 4 * batchTokens(work) * work.spec.hiddenSize * streamCount(work);
  const entering = holdsOut(work) ? 0 : keptBytes(calibrationTokens(work), widestMlp(work.spec.layers));
  const inside = routedBytes(work) + Math.max(activationBytes(work), matrixBytes(work));
  return 2 * layerBytes(work) + batches + entering + Math.max(inside, wholeExpertBytes(work) + matrixBytes(work));
}

/** The same where a layer is read part by part, and sums wait on the disk until they are needed. */
function sweepBytesInParts(work: Work): number {
  const { spec } = work;
  if (spec.parallel || spec.layers.some(mixtureOf)) return sweepBytes(work);
  const width = widestMlp(spec.layers);
  const [square, projection] = [width ** 2, 4 * width * spec.hiddenSize];
  const sets = holdsOut(work) ? 2 : 1;
  const batches = 4 * batchTokens(work) * spec.hiddenSize * streamCount(work);
  const sums = sets * (2.2 * square + (streamCount(work) - 1) * projection);
  const passing = 3 * projection + sums + activationBytes(work);
  const ranking = 16 * square + 4 * spec.hiddenSize ** 2 + 1.5 * projection;
  const fitting = 12 * square + 4 * projection; // a Gram matrix and a system in f64
  return batches + 4 * spec.hiddenSize ** 2 + Math.max(passing, ranking, fitting);
}

/** Whether statistics of some windows are apart, to choose a ridge by. */
const holdsOut = (work: Work): boolean =>
  streamCount(work) > 1 && isScarce(calibrationTokens(work), widestMlp(work.spec.layers));

/** Backward through all layers; and the states that leave the dense stream at each layer, up to the head. */
function measuringBytes(work: Work): number {
  const { spec, method } = work;
  const { backward, layerImportance } = method;
  if (backward.fisherFactors === "none" && layerImportance !== "ablation") return 0;
  const leaving = 2 * 4 * leavingTokens(work) * spec.hiddenSize + Math.max(headBytes(work), activationBytes(work));
  return layerBytes(work) + Math.max(backwardBytes(work), leaving);
}

/** Tokens of all states that leave the dense stream in one measurement. */
function leavingTokens(work: Work): number {
  const layers = work.spec.layers.length;
  const some = (most: number): number => Math.min(calibrationTokens(work), most);
  const ablated = Math.max(layers * some(ROUGH_TOKENS), closelyAblated(layers) * some(CLOSE_TOKENS));
  return work.method.allocation.kind === "loss" ? Math.max(ablated, layers * some(CUT_TOKENS)) : ablated;
}

/** States, gradients, what is between them in a layer, and the sums over them; where cuts are weighed, what ranking takes. */
function backwardBytes(work: Work): number {
  const { spec, method } = work;
  const sublayers = { none: 0, mlp: 1, both: 2 }[method.backward.fisherFactors];
  const weighs = method.allocation.kind === "loss";
  const swept = Math.min(calibrationTokens(work), weighs ? COST_TOKENS : FACTOR_TOKENS);
  const factors = sublayers * 8 * spec.hiddenSize ** 2;
  const passing = BACKWARD_ACTIVATIONS * activationBytes(work);
  const inside = weighs ? Math.max(passing, matrixBytes(work)) : passing;
  return 2 * 4 * swept * spec.hiddenSize + factors + inside;
}

export interface AsideBytes {
  /** What enters the layers of a backward sweep, in bf16. */
  readonly entered: number;
  /** The Fisher factors that stay when that is gone. */
  readonly factors: number;
  /** The sums at each down_proj by which splits between layers and neurons are tried. */
  readonly sums: number;
}

/** Bytes that are put aside. */
export function asideBytes({ spec, method }: ModelWork): AsideBytes {
  const { backward, allocation } = method;
  const sublayers = { none: 0, mlp: 1, both: 2 }[backward.fisherFactors];
  const most = allocation.kind === "loss" ? COST_TOKENS : FACTOR_TOKENS;
  const tokens = sublayers > 0 ? Math.min(calibrationTokens({ spec, method }), most) : 0;
  return {
    entered: 2 * spec.layers.length * tokens * spec.hiddenSize,
    factors: 4 * spec.layers.length * sublayers * spec.hiddenSize ** 2,
    sums: triesSplits({ spec, method }) ? 4 * spec.layers.length * packedLength(widestMlp(spec.layers)) : 0,
  };
}

const triesSplits = ({ spec, method: { layers, experts } }: ModelWork): boolean =>
  layers.kind === "search" && experts.kind === "none" && !spec.layers.some(mixtureOf);

/** Tiles of two heads, one of them on its way from the file, and matrices of logits. */
function headBytes({ spec }: Work): number {
  const rows = tileRanges(spec)[0]!.end;
  return 4 * (3 * rows * spec.hiddenSize + 4 * TOKENS_PER_RUN * rows);
}

/** Tokens that go through a layer at once. */
function batchTokens({ spec, method: { calibration } }: Work): number {
  const windows = { count: windowCount(spec, calibration), length: calibration.context };
  return batchesOf(windows, spec)[0]!.batch * windows.length;
}

/** Of one batch in the widest layer: what is inside an MLP, queries, keys and values, and the scores of an attention. */
function activationBytes(work: Work): number {
  const { spec, method } = work;
  const heads = Math.max(...spec.layers.map((layer) => sizesOf(layer).numAttentionHeads));
  const scores = 3 * heads * method.calibration.context;
  return 4 * batchTokens(work) * (4 * widestMlp(spec.layers) + 8 * spec.hiddenSize + scores);
}

/** Gram matrix, weight products and two f64 matrices of the inverse; and the Gram matrix of what is held out. */
function matrixBytes(work: Work): number {
  const width = widestMlp(work.spec.layers);
  return (4 + 4 + 8 + 8 + (holdsOut(work) ? 4 : 0)) * width ** 2;
}

/** Windows that the model writes itself, where it writes any; with those held out where it writes all. */
export function ownWindows({ spec, method: { calibration } }: Work): number {
  const count = windowCount(spec, calibration);
  return calibration.calibration.length === 0 ? count : Math.round(calibration.ownText * count);
}

/** What decoding takes beside weights and caches: logits, and what a layer makes of its caches in passing. */
export const decodingBytes = (work: Work): number => BASE_BYTES + LOOSE_BYTES + headBytes(work);

/** Bytes of keys and values in f16, or what else mixers remember, of so many samples; a device that keeps f32 takes fewer at once. */
export const cacheBytes = ({ spec, method }: Work, samples: number): number =>
  samples * sampleBytes(spec, method.calibration.context, "f16");

/** Bytes of all weights as f32. */
export const weightBytes = (spec: DecoderSpec): number => 4 * countParameters(spec).total;
