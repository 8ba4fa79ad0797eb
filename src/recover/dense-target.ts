// Least squares towards what the dense model has at this place: a layer makes up for what the layers before it have lost.
import { type Gemm, matrix } from "../linalg/gemm.ts";
import { invertSpd } from "../linalg/invert.ts";
import { difference } from "../linalg/projection.ts";
import { addToDiagonal, meanDiagonal, ridged } from "../linalg/spd.ts";
import { chooseRidge } from "./choose-ridge.ts";
import { leastSquares, refitColumns } from "./least-squares.ts";
import type { Recovery } from "./recovery.ts";

/** Share of S's mean diagonal at which half of an error is made up for. */
const INDIFFERENCE = 1;

/**
 * The refit of `least-squares` with another target: the layer's own output plus (S + τI)⁻¹S e, e the difference of the dense
 * model's hidden states to the pruned ones, S the Fisher factor of the output. An error is made up for where the loss depends
 * on it and left alone elsewhere: a few directions of huge variance that do not matter to the loss would else take all the
 * freedom.
 *
 * With little text the ridge is chosen on held-out windows, from the one asked for upwards (choose-ridge.ts).
 *
 * @see recipe of asymmetric calibration, e.g. Li et al. 2025 (GPTAQ), arXiv:2504.02692; the weighting by S is ours
 */
export const denseTarget: Recovery = {
  towardsDense: true,
  async recover(projection, statistics, kept, context) {
    const { drift, fisherFactor, heldOut } = statistics;
    if (!drift || !fisherFactor) return leastSquares.recover(projection, statistics, kept, context);
    const { gemm } = context;
    // made anew each time: beside the system that is solved there is the least room for what waits
    const weighted = (some: () => Promise<Float32Array>) => async (): Promise<Float32Array> =>
      weightedDrift(gemm, await some(), await fisherFactor(), projection.outputSize);
    const all = { gram: () => statistics.gram(), drift: weighted(drift) };
    if (heldOut === undefined) return { weight: await refitColumns(projection, all, kept, context) };
    const seen = async (): Promise<Float32Array> => difference(await drift(), await heldOut.drift());
    const rest = { gram: () => heldOut.restOfGram(), drift: weighted(seen) };
    const part = { gram: () => heldOut.gram(), drift: weighted(() => heldOut.drift()) };
    const ridge = await chooseRidge(projection, { rest, part, fisherFactor }, kept, context);
    return { weight: await refitColumns(projection, all, kept, { gemm, ridge }) };
  },
};

/**
 * (S + τI)⁻¹ S D with τ = INDIFFERENCE · mean diag S, f32 [outputSize, inputSize]: the share of what is asked for is
 * I − τ (S + τI)⁻¹. Inverted in f64, multiplied in f32.
 */
export async function weightedDrift(
  gemm: Gemm,
  drift: Float32Array,
  fisherFactor: Float32Array,
  outputSize: number,
): Promise<Float32Array> {
  const inverse = ridged(fisherFactor, outputSize, INDIFFERENCE);
  await invertSpd(gemm, inverse, outputSize);
  const indifference = INDIFFERENCE * meanDiagonal(fisherFactor, outputSize);
  for (let i = 0; i < inverse.length; i++) inverse[i]! *= -indifference;
  addToDiagonal(inverse, outputSize, 1);
  const share = matrix(outputSize, outputSize, new Float32Array(inverse));
  return (await gemm(share, matrix(outputSize, drift.length / outputSize, drift))).data;
}
