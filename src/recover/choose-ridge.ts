// How strongly a refit is held to the old weights, where there is little text: found on windows that the fit has not seen.
import { type Gemm, matrix } from "../linalg/gemm.ts";
import type { HeldOutSums, OutputProjection } from "../linalg/projection.ts";
import { type RefitStatistics, refitColumns } from "./least-squares.ts";
import type { RecoveryContext } from "./recovery.ts";

/** With more tokens for each unknown the choice made no difference (docs/lab-log.md), and its solves would be wasted. */
const SCARCE_TOKENS = 10;

/** Multiples of the ridge asked for that are tried. */
const MULTIPLES = [1, 10, 100, 1000];

/** Whether so few tokens are there for a projection with so many inputs that the ridge matters. */
export const isScarce = (tokenCount: number, inputSize: number): boolean => tokenCount < SCARCE_TOKENS * inputSize;

/**
 * The ridge of least error on the held-out part when the rest is fitted: of tr(S (Δ G Δᵀ − 2 Δ Dᵀ)) with Δ = Ŵ − W, which is
 * ‖ZΔᵀ − E‖² in the metric of the Fisher factor S but for what no fit changes.
 *
 * @param all what will be fitted in the end; its sums include those of `heldOut`
 */
export async function chooseRidge(
  projection: OutputProjection,
  all: Required<RefitStatistics> & { readonly drift: Float32Array; readonly fisherFactor: Float32Array },
  heldOut: HeldOutSums,
  kept: Int32Array,
  context: RecoveryContext,
): Promise<number> {
  const seen = { gram: difference(all.gram, heldOut.gram), drift: difference(all.drift, heldOut.drift) };
  let best = { ridge: context.ridge, error: Infinity };
  for (const multiple of MULTIPLES) {
    const ridge = multiple * context.ridge;
    const fitted = await refitColumns(projection, seen, kept, { ...context, ridge });
    const error = await heldOutError(context.gemm, changeOf(projection, kept, fitted), heldOut, all.fisherFactor);
    if (error < best.error) best = { ridge, error };
  }
  return best.ridge;
}

const difference = (whole: Float32Array, part: Float32Array): Float32Array => whole.map((sum, i) => sum - part[i]!);

/** Δ = Ŵ − W, f32 [outputSize, inputSize]; Ŵ is zero where a column goes. */
function changeOf({ weight, inputSize, outputSize }: OutputProjection, kept: Int32Array, fitted: Float32Array) {
  const change = weight.map((value) => -value);
  for (let row = 0, i = 0; row < outputSize; row++) for (const j of kept) change[row * inputSize + j]! += fitted[i++]!;
  return change;
}

async function heldOutError(
  gemm: Gemm,
  change: Float32Array,
  { gram, drift }: HeldOutSums,
  fisherFactor: Float32Array,
): Promise<number> {
  const size = Math.sqrt(gram.length);
  const rows = change.length / size;
  const delta = matrix(rows, size, change);
  const { data: written } = await gemm(delta, matrix(size, size, gram));
  const { data: weighted } = await gemm(matrix(rows, rows, fisherFactor), delta);
  return weighted.reduce((error, value, i) => error + value * (written[i]! - 2 * drift[i]!), 0);
}
