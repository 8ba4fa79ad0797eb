// Least squares towards what the dense model has at this place: a layer makes up for what the layers before it have lost.
import { solveSpd } from "../linalg/cholesky.ts";
import { type Gemm, matrix } from "../linalg/gemm.ts";
import { ridged } from "../linalg/spd.ts";
import { chooseRidge } from "./choose-ridge.ts";
import { DEFAULT_RIDGE } from "./least-squares.ts";
import type { Recovery } from "./recovery.ts";
import { refitColumns } from "./refit.ts";

/** Share of S's mean diagonal at which half of an error is made up for. */
const INDIFFERENCE = 1;

/**
 * The refit of `least-squares` with another target: the layer's own output plus (S + τI)⁻¹S e, e the difference of the dense
 * model's hidden states to the pruned ones, S the covariance of the loss's gradient. Where the loss feels an error it is made up
 * for, elsewhere left alone: a few directions of huge variance, to which the loss is blind, would else take all the freedom.
 *
 * With little text the ridge is chosen on held-out windows, from the one asked for upwards (choose-ridge.ts).
 *
 * @see recipe of asymmetric calibration, e.g. Li et al. 2025 (GPTAQ), arXiv:2504.02692; the weighting by S is ours
 */
export const denseTarget: Recovery = {
  name: "dense-target",
  description: "refit o_proj and down_proj towards the dense model's hidden states, where the loss feels them",
  towardsDense: true,
  async recover(input, { gemm }) {
    const { gram, downProj, hiddenSize, kept, ridge = DEFAULT_RIDGE, drift, lossCovariance, heldOut } = input;
    const least = { gram, projection: downProj, hiddenSize, kept, ridge };
    if (!drift || !lossCovariance) return { downProj: await refitColumns(gemm, least), diagnostics: { ridge } };
    const felt = (some: Float32Array): Promise<Float32Array> => feltDrift(gemm, some, lossCovariance, hiddenSize);
    const refit = { ...least, drift: await felt(drift) };
    const chosen = heldOut
      ? await chooseRidge(gemm, refit, { ...heldOut, drift: await felt(heldOut.drift) }, lossCovariance)
      : ridge;
    return { downProj: await refitColumns(gemm, { ...refit, ridge: chosen }), diagnostics: { ridge: chosen } };
  },
};

/** (S + τI)⁻¹ S D with τ = INDIFFERENCE · mean diag S, f32 [hiddenSize, m]; solved in f64, multiplied in f32. */
export async function feltDrift(
  gemm: Gemm,
  drift: Float32Array,
  lossCovariance: Float32Array,
  hiddenSize: number,
): Promise<Float32Array> {
  const share = matrix(hiddenSize, hiddenSize, new Float64Array(lossCovariance));
  await solveSpd(gemm, ridged(lossCovariance, hiddenSize, INDIFFERENCE), share);
  const single = matrix(hiddenSize, hiddenSize, new Float32Array(share.data));
  return (await gemm(single, matrix(hiddenSize, drift.length / hiddenSize, drift))).data;
}
