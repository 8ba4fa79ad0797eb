// What criteria and recoveries take of the calibration text at one projection: o_proj or down_proj.
import type { Tensor } from "../compute/tensor.ts";
import type { HiddenStates } from "../forward/run/hidden-states.ts";
import type { LayerRunner } from "../forward/run/layer-runner.ts";
import { inputSize } from "../forward/run/projection-sums.ts";
import type { NeuronStatistics } from "../importance/criterion.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { LayerSpec } from "../model/spec/decoder-spec.ts";
import type { Half } from "../model/spec/tensor-names.ts";
import { type HeldOutSums, isScarce } from "../recover/choose-ridge.ts";

/** Inputs of a projection are kept for all tokens until its successor is there, if they take no more than this. */
const KEPT_BYTES = 256 * 2 ** 20;

/** Bytes of the inputs that are kept; 0 where they are computed anew. */
export function keptBytes(tokenCount: number, inputSize: number): number {
  const bytes = 4 * tokenCount * inputSize;
  return bytes <= KEPT_BYTES ? bytes : 0;
}

/** Hidden states that stand before a half of a layer, and what is wanted after it. */
export interface HalfStates {
  readonly states: HiddenStates;
  /** Those of the dense model after the half, for a recovery that wants to come near them. */
  readonly target: HiddenStates | undefined;
  /** Whether tokens count by their scale (forward/token-scale.ts). */
  readonly scaled: boolean;
  readonly tokenCount: number;
  /** Whether the recovery may choose its ridge where text is scarce. */
  readonly choosesRidge: boolean;
}

export interface ProjectionStatistics {
  readonly moments: NeuronStatistics;
  /** For a recovery towards the target (recover/recovery.ts); zero without one. */
  readonly drift: Float32Array;
  /** A part of the sums, apart as well; with a target and little text. */
  readonly heldOut: HeldOutSums | undefined;
  /** What enters the projection, batch by batch, f32 [tokens, inputSize]; undefined where it is much. */
  readonly inputs: readonly Tensor[] | undefined;
}

/** Sums over all calibration tokens at the projection of a half. */
export async function projectionStatistics(
  runner: LayerRunner,
  half: Half,
  layer: LayerSpec,
  weights: LayerWeights,
  { states, target, scaled, tokenCount, choosesRidge }: HalfStates,
): Promise<ProjectionStatistics> {
  const size = inputSize(runner.spec, layer, half);
  const holdsOut = choosesRidge && target !== undefined && isScarce(tokenCount, size);
  const keepsInputs = !holdsOut && keptBytes(tokenCount, size) > 0;
  const options = { scaled, target, holdsOut, keepsInputs };
  const { gram, total, drift, heldOut, inputs } = await runner.projectionSums(half, layer, weights, states, options);
  return {
    moments: { gram: gram.data, mean: total.data.map((sum) => sum / tokenCount), tokenCount },
    drift: drift.data,
    heldOut: heldOut && { gram: heldOut.gram.data, drift: heldOut.drift.data },
    inputs,
  };
}
