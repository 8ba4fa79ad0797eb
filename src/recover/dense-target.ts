// Least squares towards what the dense model has at this place: a layer makes up for what the layers before it have lost.
import { solveSpd } from "../linalg/cholesky.ts";
import { type Gemm, matrix } from "../linalg/gemm.ts";
import { difference } from "../linalg/projection.ts";
import { ridged } from "../linalg/spd.ts";
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
    const weighted = async (some: () => Promise<Float32Array>): Promise<Float32Array> =>
      weightedDrift(gemm, await some(), await fisherFactor(), projection.outputSize);
    const target = await weighted(drift);
    const all = async () => ({ gram: await statistics.gram(), drift: target });
    if (heldOut === undefined) return { weight: await refitColumns(projection, all, kept, context) };
    const judged = await weighted(heldOut.drift);
    const part = async () => ({ gram: await heldOut.gram(), drift: judged });
    const rest = async () => ({ gram: await heldOut.restOfGram(), drift: difference(target, judged) });
    const ridge = await chooseRidge(projection, { rest, part, fisherFactor }, kept, context);
    return { weight: await refitColumns(projection, all, kept, { gemm, ridge }) };
  },
};

/** (S + τI)⁻¹ S D with τ = INDIFFERENCE · mean diag S, f32 [outputSize, inputSize]; solved in f64, multiplied in f32. */
export async function weightedDrift(
  gemm: Gemm,
  drift: Float32Array,
  fisherFactor: Float32Array,
  outputSize: number,
): Promise<Float32Array> {
  const share = matrix(outputSize, outputSize, new Float64Array(fisherFactor));
  await solveSpd(gemm, ridged(fisherFactor, outputSize, INDIFFERENCE), share);
  const single = matrix(outputSize, outputSize, new Float32Array(share.data));
  return (await gemm(single, matrix(outputSize, drift.length / outputSize, drift))).data;
}
