// What a model takes where it is kept and where it runs, from its plan, and the limits for that.

import { widestMlp } from "../model/config/layer-sizes.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { CutPlan } from "./plan.ts";

/** Tokens that llama.cpp computes at once. */
const BATCH = 512;
/** Of an activation, and of a key or a value. */
const F32_BYTES = 4;
const F16_BYTES = 2;

/** One limit and what counts towards it. */
export interface Limit {
  readonly name: "size" | "memory";
  readonly bytes: number;
  /** Bytes that a planned model takes of it; `aroundWeights` are those of its file beside the weights. */
  readonly takes: (plan: CutPlan, aroundWeights: number) => number;
}

export const sizeLimit = (bytes: number): Limit => ({
  name: "size",
  bytes,
  takes: (plan, aroundWeights) => plan.bytes.after + aroundWeights,
});

export const runtimeLimit = (bytes: number, spec: DecoderSpec, context: number): Limit => ({
  name: "memory",
  bytes,
  takes: (plan) => plan.bytes.after + keyValueBytes(plan, spec, context) + bufferBytes(spec),
});

/** Keys and values of so many tokens in f16, windows of attention not counted on. */
const keyValueBytes = ({ layers, numKeyValueHeads }: CutPlan, { headDim }: DecoderSpec, context: number): number =>
  Math.ceil(2 * F16_BYTES * layers.after * numKeyValueHeads.after * headDim * context);

/** Logits of a batch, and what a layer holds of it: at most states before and after each part, gate and up. */
const bufferBytes = ({ vocabSize, hiddenSize, layers }: DecoderSpec): number =>
  BATCH * F32_BYTES * (vocabSize + 4 * hiddenSize + 2 * widestMlp(layers));
