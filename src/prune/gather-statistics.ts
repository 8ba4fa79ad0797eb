// What calibration says of a sublayer: the sums at the projection that ends it, in memory or put aside, and what was found before.
import type { ReusedTensors } from "../compute/reused-tensor.ts";
import { isParallel, projectionOf } from "../forward/graphs/decoder-layer.ts";
import type { HiddenStates } from "../forward/run/hidden-states.ts";
import type { LayerRunner } from "../forward/run/layer-runner.ts";
import { finishSums, type KeepSum, keepInMemory } from "../forward/run/projection-statistics.ts";
import { type GatheredSums, gatherSums } from "../forward/run/projection-sums.ts";
import type { Scratch, StoredArray } from "../forward/run/scratch.ts";
import type { StoredStatistics } from "../linalg/projection.ts";
import type { Method } from "../method/method.ts";
import type { Sublayer } from "../model/spec/roles.ts";
import { isScarce } from "../recover/choose-ridge.ts";
import type { RunContext } from "../run-context.ts";
import type { LayerSource } from "./layer-source.ts";

/** What backward sweeps over the dense model have found of a sublayer, put aside. */
export interface SublayerSensitivity {
  readonly fisherFactor?: StoredArray | undefined;
  readonly weights?: StoredArray | undefined;
}

/** What statistics are gathered from, and how. */
export interface StatisticsRequest {
  readonly runner: LayerRunner;
  readonly method: Method;
  /** Hidden states before the sublayer, of all calibration tokens. */
  readonly states: HiddenStates;
  readonly tokenCount: number;
  /** The dense model's hidden states behind the sublayer, for a recovery that aims at them. */
  readonly target: HiddenStates | undefined;
  readonly sensitivity: SublayerSensitivity;
  /** For what enters the projection of all tokens: one memory for all sublayers, which follow one another. */
  readonly inputMemory: ReusedTensors;
}

/** Statistics of a sublayer, and what else was found on the way. */
export interface GatheredStatistics extends Pick<GatheredSums, "inputs"> {
  readonly statistics: StoredStatistics;
  /** Σ x² of what enters the sublayer's other projections, f32 [hiddenSize], where it was asked for. */
  readonly entries: Float32Array | undefined;
  /** Removes what of the statistics was put aside; they can no longer be read. */
  release(): Promise<void>;
}

/** Statistics over all calibration tokens at the projection of a sublayer, with what backward sweeps have found. */
export async function gatherStatistics(
  { memory, scratch }: RunContext,
  sublayer: Sublayer,
  source: LayerSource,
  request: StatisticsRequest,
): Promise<GatheredStatistics> {
  const { runner, sensitivity } = request;
  const sums = await sumStatistics(sublayer, source, request);
  const aside: StoredArray[] = [];
  const keep: KeepSum = memory.wholeLayers ? keepInMemory : (sum) => putAside(scratch, sum, aside);
  const projection = await source.readProjection(sublayer);
  const found = await finishSums(runner, sublayer, projection, sums, keep);
  return {
    statistics: withSensitivity(found, sensitivity),
    inputs: sums.inputs,
    entries: sums.whole.entries?.tensor.data,
    release: async () => {
      for (const stored of aside) await stored.remove();
    },
  };
}

/** Statistics of a sublayer with what backward sweeps have found of it. */
export const withSensitivity = (
  statistics: Omit<StoredStatistics, "fisherFactor" | "weightSensitivity">,
  { fisherFactor, weights }: SublayerSensitivity,
): StoredStatistics => ({
  ...statistics,
  fisherFactor: fisherFactor && (() => fisherFactor.read()),
  weightSensitivity: weights && (() => weights.read()),
});

/** Puts a matrix aside. Returns how it is read again, into memory of its own: a function that does not hold the sum itself. */
async function putAside(
  scratch: Scratch,
  sum: Float32Array,
  aside: StoredArray[],
): Promise<() => Promise<Float32Array>> {
  const stored = await scratch.put(sum);
  aside.push(stored);
  return () => stored.read();
}

async function sumStatistics(
  sublayer: Sublayer,
  source: LayerSource,
  { runner, method, states, target, tokenCount, inputMemory }: StatisticsRequest,
): Promise<GatheredSums> {
  const layer = await source.read(sublayer);
  const { inputSize } = projectionOf(sublayer, layer);
  const holdsOut = method.choosesRidge && target !== undefined && isScarce(tokenCount, inputSize);
  // behind a parallel attention nothing has moved, and the MLP needs both
  const keepsInputs = !holdsOut && !isParallel(runner.spec, layer) && keptBytes(tokenCount, inputSize) > 0;
  return gatherSums(runner, sublayer, layer, states, {
    tokenScale: method.tokenScale,
    target,
    holdsOut,
    keepsInputsIn: keepsInputs ? inputMemory : undefined,
    weighsEntries: method.importance === "all",
  });
}

/**
 * Inputs of a projection are kept for all tokens until its successor is there, if they take no more than this. What is computed
 * anew differs in its last bits, so that this is not for a memory limit to decide.
 */
const KEPT_BYTES = 256 * 2 ** 20;

/** Bytes of the inputs that are kept; 0 where they are computed anew. */
export function keptBytes(tokenCount: number, inputSize: number): number {
  const bytes = 4 * tokenCount * inputSize;
  return bytes <= KEPT_BYTES ? bytes : 0;
}
