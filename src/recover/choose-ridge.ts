// How strongly a refit is held to the old weights, where there is little text: found on windows that the fit has not seen.
import { type Gemm, matrix } from "../linalg/gemm.ts";
import type { OutputProjection, StoredHeldOut } from "../linalg/projection.ts";
import { refitColumns } from "./least-squares.ts";
import type { RecoveryContext } from "./recovery.ts";

/** With more tokens for each unknown the choice made no difference (docs/lab-log.md), and its solves would be wasted. */
const SCARCE_TOKENS = 10;

/** Multiples of the ridge asked for that are tried. */
const MULTIPLES = [1, 10, 100, 1000];

/** How many ridges are tried. */
export const TRIED_RIDGES: number = MULTIPLES.length;

/** Whether so few tokens are there for a projection with so many inputs that the ridge matters. */
export const isScarce = (tokenCount: number, inputSize: number): boolean => tokenCount < SCARCE_TOKENS * inputSize;

type Sums = Pick<StoredHeldOut, "gram" | "drift">;

/** What a ridge is chosen by; each part is read when its turn comes. */
export interface RidgeStatistics {
  /** What is fitted for the choice. */
  readonly rest: Sums;
  /** What is held out. */
  readonly part: Sums;
  fisherFactor(): Promise<Float32Array>;
}

/**
 * The ridge of least error on the held-out part when the rest is fitted: of tr(S (Δ G Δᵀ − 2 Δ Dᵀ)) with Δ = Ŵ − W, which is
 * ‖ZΔᵀ − E‖² in the metric of the Fisher factor S but for what no fit changes.
 */
export async function chooseRidge(
  projection: OutputProjection,
  statistics: RidgeStatistics,
  kept: Int32Array,
  context: RecoveryContext,
): Promise<number> {
  let best = { ridge: context.ridge, error: Infinity };
  for (const multiple of MULTIPLES) {
    const ridge = multiple * context.ridge;
    const error = await errorOfFit(projection, statistics, kept, { ...context, ridge });
    if (error < best.error) best = { ridge, error };
  }
  return best.ridge;
}

/** In a function of its own, so that nothing of a fit stays while the next one is made. */
async function errorOfFit(
  projection: OutputProjection,
  statistics: RidgeStatistics,
  kept: Int32Array,
  context: RecoveryContext,
): Promise<number> {
  const fitted = await refitColumns(projection, statistics.rest, kept, context);
  return heldOutError(context.gemm, changeOf(projection, kept, fitted), statistics);
}

/** Δ = Ŵ − W, f32 [outputSize, inputSize]; Ŵ is zero where a column goes. */
function changeOf({ weight, inputSize, outputSize }: OutputProjection, kept: Int32Array, fitted: Float32Array) {
  const change = new Float32Array(weight.length);
  for (let i = 0; i < change.length; i++) change[i] = -weight[i]!;
  for (let row = 0, i = 0; row < outputSize; row++)
    for (let k = 0; k < kept.length; k++) change[row * inputSize + kept[k]!]! += fitted[i++]!;
  return change;
}

async function heldOutError(
  gemm: Gemm,
  change: Float32Array,
  { part, fisherFactor }: RidgeStatistics,
): Promise<number> {
  const [gram, drift] = [await part.gram(), await part.drift()];
  const size = Math.sqrt(gram.length);
  const rows = change.length / size;
  const delta = matrix(rows, size, change);
  const { data: written } = await gemm(delta, matrix(size, size, gram));
  const { data: weighted } = await gemm(matrix(rows, rows, await fisherFactor()), delta);
  let error = 0;
  for (let i = 0; i < weighted.length; i++) error += weighted[i]! * (written[i]! - 2 * drift[i]!);
  return error;
}
