// How much a run computes, in multiplications and additions of f32, each counted; from the headers alone, and roughly.
import { widestMlp } from "../model/config/layer-sizes.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { isScarce, TRIED_RIDGES } from "../recover/choose-ridge.ts";
import { FACTOR_TOKENS } from "../sensitivity/text-lengths.ts";
import { calibrationTokens, ownWindows, streamCount, type Work } from "./memory-needs.ts";

/** What f64 takes, which processors compute half as fast. */
const DOUBLE = 2;

/** A value of the weights is decoded in the time of so many operations: f16 on two cores; bf16 and most types of GGUF take two thirds of that. */
const DECODE = 600;

/** Passes of the calibration text through each layer of the sweep and of its trials, in whole layers. */
const PASSES_PER_STREAM = 1.5;

/** Of a backward pass: forward twice, and as much for the gradient. */
const BACKWARD_PASSES = 4;

/** Of a run but for text that the model writes. */
export function pruningOperations(work: Work): number {
  const { spec, method } = work;
  const tokens = calibrationTokens(work);
  const parameters = countParameters(spec).decoderMatrices;
  const swept = method.backward.fisherFactors === "none" ? 0 : Math.min(tokens, FACTOR_TOKENS);
  const passes = streamCount(work) * PASSES_PER_STREAM * tokens + BACKWARD_PASSES * swept;
  return 2 * parameters * passes + spec.layers.length * (gramOperations(work) + solvingOperations(work));
}

/** Half of ZᵀZ, the other half being its mirror image, and the drift. */
function gramOperations(work: Work): number {
  const width = widestMlp(work.spec.layers);
  const drift = (streamCount(work) - 1) * 2 * width * work.spec.hiddenSize;
  return calibrationTokens(work) * (width ** 2 + drift);
}

/** An inverse, an elimination of some neurons, and refits: one, or with little text one more for each ridge that is tried. */
function solvingOperations(work: Work): number {
  const width = widestMlp(work.spec.layers);
  const isChosen = streamCount(work) > 1 && isScarce(calibrationTokens(work), width);
  const refits = isChosen ? TRIED_RIDGES + 1 : 1;
  const refit = width ** 3 + 4 * width ** 2 * work.spec.hiddenSize;
  return DOUBLE * (3 * width ** 3 + refits * refit);
}

/**
 * Of decoding with weights that are read anew for each token.
 *
 * @param together samples that are decoded at a time
 */
export function readingOperations(work: Work, together: number): number {
  const { spec, method } = work;
  const steps = Math.ceil(ownWindows(work) / together) * method.calibration.context;
  return steps * countParameters(spec).total * (DECODE + 2 * together);
}
