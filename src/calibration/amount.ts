// How much text a model needs: the refit of a projection has an unknown for each neuron that stays.

import { widestMlp } from "../model/config/layer-sizes.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { PruneOptions } from "../options/prune.ts";

/** Tokens for each neuron of the widest layer, where nothing else is asked for. */
const TOKENS_PER_NEURON = 24;

/** Tokens by default at least, and at most, so that a wide model does not take a day. */
const LEAST_TOKENS = 16384;
const MOST_TOKENS = 65536;

/** Calibration windows: as many as asked for, or what the widest layer needs. */
export function windowCount({ layers }: DecoderSpec, { samples, context }: PruneOptions): number {
  if (samples !== undefined) return samples;
  const tokens = Math.min(MOST_TOKENS, Math.max(LEAST_TOKENS, TOKENS_PER_NEURON * widestMlp(layers)));
  return Math.ceil(tokens / context);
}
