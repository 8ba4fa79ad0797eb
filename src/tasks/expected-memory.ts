// The memory that a run will take, from the headers alone: a rough guide, told as such.
import { CACHE_BYTES, sampleBytes } from "../calibration/self-generated.ts";
import { windowCount } from "../calibration/windows.ts";
import { RESIDENT_BYTES } from "../forward/run/embed.ts";
import type { Method } from "../method/method.ts";
import { widestMlp } from "../model/config/layer-sizes.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { keptBytes } from "../prune/sublayer.ts";
import { isScarce } from "../recover/choose-ridge.ts";

const BASE_BYTES = 300 * 2 ** 20; // the runtime itself
const ACTIVATION_TOKENS = 2048;

export interface Work {
  readonly spec: DecoderSpec;
  readonly method: Method;
  /** Whether the model can generate calibration text. */
  readonly generates: boolean;
}

/** Bytes of resident memory at their highest. */
export const expectedPeakBytes = (work: Work): number =>
  BASE_BYTES + Math.max(pruningBytes(work), generatingBytes(work));

/** The same where nothing is removed: a layer as f32, and tiles of a matrix on their way. */
export const copyingBytes = (spec: DecoderSpec): number => BASE_BYTES + 2 * layerBytes(spec);

/** The largest layer as f32. */
const layerBytes = (spec: DecoderSpec): number =>
  4 * Math.max(...countParameters(spec).layers.map(({ total }) => total));

/** All weights as f32, and keys and values of the samples that are generated together. */
function generatingBytes(work: Work): number {
  const { spec, method } = work;
  const samples = Math.round(generatedShare(work) * windowCount(spec, method.calibration));
  if (samples === 0) return 0;
  const caches = samples * sampleBytes(spec, method.calibration.context);
  return 4 * countParameters(spec).total + Math.min(CACHE_BYTES, caches);
}

/** Share of the windows that the model generates itself. */
const generatedShare = ({ generates, method: { calibration } }: Work): number =>
  generates ? (calibration.calibration.length === 0 ? 1 : calibration.ownText) : 0;

/** One layer twice, hidden states of all tokens, activations of a batch, the matrices of the neurons, and neurons of all tokens. */
function pruningBytes({ spec, method }: Work): number {
  const width = widestMlp(spec.layers);
  const tokens = windowCount(spec, method.calibration) * method.calibration.context;
  const aimsAtDense = method.recovery.towardsDense === true;
  const hidden = (aimsAtDense ? 2 : 1) * Math.min(RESIDENT_BYTES, 4 * tokens * spec.hiddenSize);
  const activations = 4 * ACTIVATION_TOKENS * (4 * width + 8 * spec.hiddenSize);
  const holdsOut = aimsAtDense && isScarce(tokens, width);
  // Gram matrix, weight products, two f64 matrices of the inverse, and the Gram matrix of what is held out
  const neurons = (4 + 4 + 8 + 8 + (holdsOut ? 4 : 0)) * width ** 2;
  return 2 * layerBytes(spec) + hidden + activations + neurons + (holdsOut ? 0 : keptBytes(tokens, width));
}
