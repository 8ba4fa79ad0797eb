// How strongly a refit is held to the old weights, where there is little text: found on windows that the fit has not seen.
import { type Gemm, matrix } from "../linalg/gemm.ts";
import { type RefitInput, refitColumns } from "./refit.ts";

/** With more tokens for each unknown the choice made no difference (docs/lab-log.md), and its solves would be wasted. */
const SCARCE_TOKENS = 10;

/** Multiples of the ridge asked for that are tried. */
const MULTIPLES = [1, 10, 100, 1000];

/** Sums over a part of the tokens; both are contained in those of all. */
export interface HeldOutSums {
  readonly gram: Float32Array; // [m, m]
  readonly drift: Float32Array; // [hiddenSize, m]
}

/** Whether so few tokens are there for a projection with so many inputs that the ridge matters. */
export const isScarce = (tokenCount: number, inputSize: number): boolean => tokenCount < SCARCE_TOKENS * inputSize;

/**
 * The ridge of least error on the held-out part when the rest is fitted: of tr(S (Δ G Δᵀ − 2 Δ Dᵀ)) with Δ = Ŵ − W, which is
 * ‖ZΔᵀ − E‖² in the metric of S but for what no fit changes.
 *
 * @param all what will be fitted in the end; its `drift` and `gram` include those of `heldOut`
 * @param lossCovariance S, f32 [hiddenSize, hiddenSize]
 */
export async function chooseRidge(
  gemm: Gemm,
  all: RefitInput & { readonly drift: Float32Array },
  heldOut: HeldOutSums,
  lossCovariance: Float32Array,
): Promise<number> {
  const seen = { ...all, gram: difference(all.gram, heldOut.gram), drift: difference(all.drift, heldOut.drift) };
  let best = { ridge: all.ridge, error: Infinity };
  for (const multiple of MULTIPLES) {
    const ridge = multiple * all.ridge;
    const fitted = await refitColumns(gemm, { ...seen, ridge });
    const error = await heldOutError(gemm, changeOf(all, fitted), heldOut, lossCovariance);
    if (error < best.error) best = { ridge, error };
  }
  return best.ridge;
}

const difference = (whole: Float32Array, part: Float32Array): Float32Array => whole.map((sum, i) => sum - part[i]!);

/** Δ = Ŵ − W, f32 [hiddenSize, m]; Ŵ is zero where a column goes. */
function changeOf({ projection, hiddenSize, kept }: RefitInput, fitted: Float32Array): Float32Array {
  const size = projection.length / hiddenSize;
  const change = projection.map((weight) => -weight);
  for (let row = 0, i = 0; row < hiddenSize; row++) for (const j of kept) change[row * size + j]! += fitted[i++]!;
  return change;
}

async function heldOutError(
  gemm: Gemm,
  change: Float32Array,
  { gram, drift }: HeldOutSums,
  lossCovariance: Float32Array,
): Promise<number> {
  const size = Math.sqrt(gram.length);
  const rows = change.length / size;
  const delta = matrix(rows, size, change);
  const { data: written } = await gemm(delta, matrix(size, size, gram));
  const { data: felt } = await gemm(matrix(rows, rows, lossCovariance), delta);
  return felt.reduce((error, value, i) => error + value * (written[i]! - 2 * drift[i]!), 0);
}
