// Greedy backward elimination, shared by the condition metric and by optimal brain surgeon: both need the diagonal of
// an inverse P = A⁻¹ that shrinks with every neuron removed.
import { CompError } from "../errors.ts";
import { DowndatedMatrix } from "../linalg/downdated.ts";
import { gatherColumns } from "../linalg/gather.ts";
import type { Gemm } from "../linalg/gemm.ts";
import { diagonal } from "../linalg/spd.ts";
import { factorTriangle, forwardSubstitute } from "../linalg/triangle.ts";
import type { Removal } from "./criterion.ts";

/** Neurons removed between two full updates of the matrices, and the largest batch. */
export const FLUSH_RANK = 128;

/** Neurons about to be removed together. Indices are positions among the neurons left at the last full update. */
export interface Batch {
  readonly indices: Int32Array;
  /** U of P_rr = UᵀU, f64 [b, b]. */
  readonly factor: Float64Array;
  /** F = U⁻ᵀP_r:, f64 [b, size]; the removal turns P into P − FᵀF. */
  readonly whitened: Float64Array;
}

/** What is being minimised: it gives each neuron a numerator over [A⁻¹]_jj, and follows the removals. */
export interface Objective {
  /** The score of neuron j is numerators[j] / P_jj. */
  numerators: Float64Array;
  /** Whether so many neurons may go at once; when not, half of them are tried. */
  admits(batch: Batch, removed: Uint8Array): boolean;
  /** Removes the batch; its cost. */
  remove(gemm: Gemm, batch: Batch): Promise<number>;
  /** Forgets all neurons but the survivors (positions, ascending). */
  compact(gemm: Gemm, survivors: Int32Array): Promise<void>;
}

/**
 * Removes `count` neurons, each time the `batchSize` of least numerator_j / [A⁻¹]_jj, and down-dates:
 * P ← P − P_:r (P_rr)⁻¹ P_r:. Each neuron of a batch is charged an equal share of the batch's cost.
 *
 * @param inverse P = A⁻¹, f64 [m, m]; overwritten
 * @throws {CompError} "numeric" when the scores are not finite
 * @see Meng et al. 2024 (OSSCAR), arXiv:2403.12983, without its local search
 *
 * Cost: 128 · m² multiply-adds a full update, 64 · m on average a row in between, in products of a few rows.
 */
export async function removeGreedily(
  gemm: Gemm,
  inverse: Float64Array,
  objective: Objective,
  count: number,
  batchSize: number,
): Promise<Removal> {
  const size = Math.sqrt(inverse.length);
  if (count > size) throw new RangeError(`${count} of ${size} neurons cannot be removed`);
  const [order, costs] = [new Int32Array(count), new Float64Array(count)];
  const work = new Float64Array(2 * FLUSH_RANK * size);
  const current = new DowndatedMatrix(inverse, work.subarray(0, FLUSH_RANK * size), work.subarray(FLUSH_RANK * size));
  let neurons = Int32Array.from({ length: size }, (_, j) => j);
  let [removed, diag, step] = [new Uint8Array(size), diagonal(inverse, size), batchSize];
  for (let done = 0; done < count; ) {
    if (current.rank + step > FLUSH_RANK) {
      const survivors = neurons.map((_, j) => j).filter((j) => removed[j] === 0);
      await current.compact(gemm, survivors);
      await objective.compact(gemm, survivors);
      neurons = survivors.map((j) => neurons[j]!);
      diag = Float64Array.from(survivors, (j) => diag[j]!);
      removed = new Uint8Array(survivors.length);
    }
    let batch = await whiten(gemm, current, lowest(objective.numerators, diag, removed, Math.min(step, count - done)));
    while (batch.indices.length > 1 && !objective.admits(batch, removed)) {
      step = batch.indices.length >> 1;
      batch = await whiten(gemm, current, batch.indices.subarray(0, step));
    }
    costs.fill((await objective.remove(gemm, batch)) / batch.indices.length, done, done + batch.indices.length);
    current.subtract(batch.whitened, batch.whitened);
    subtractSquares(diag, batch.whitened);
    for (const j of batch.indices) {
      order[done++] = neurons[j]!;
      removed[j] = 1;
    }
  }
  return { order, costs };
}

/** The positions of the `count` lowest scores, ascending. */
function lowest(numerators: Float64Array, diag: Float64Array, removed: Uint8Array, count: number): Int32Array {
  const indices = new Int32Array(count);
  const scores = new Float64Array(count).fill(Infinity);
  for (let j = 0; j < diag.length; j++) {
    if (removed[j] === 1) continue;
    const score = Math.max(numerators[j]!, 0) / diag[j]!;
    if (!(score < Infinity)) throw notFinite(score);
    let place = count;
    while (place > 0 && score < scores[place - 1]!) place--;
    if (place === count) continue;
    scores.copyWithin(place + 1, place, count - 1);
    indices.copyWithin(place + 1, place, count - 1);
    scores[place] = score;
    indices[place] = j;
  }
  return indices;
}

const notFinite = (score: number): CompError =>
  new CompError("numeric", `a neuron's removal would cost ${score}`, {
    hint: "weights or calibration statistics are not finite, or the calibration text is far too short",
  });

async function whiten(gemm: Gemm, current: DowndatedMatrix<Float64Array>, indices: Int32Array): Promise<Batch> {
  const whitened = await current.rows(gemm, indices);
  const factor = gatherColumns(whitened, current.size, indices);
  factorTriangle(factor, indices.length);
  forwardSubstitute(factor, indices.length, whitened, current.size);
  return { indices, factor, whitened };
}

function subtractSquares(diag: Float64Array, rows: Float64Array): void {
  for (let start = 0; start < rows.length; start += diag.length)
    for (let j = 0; j < diag.length; j++) diag[j]! -= rows[start + j]! ** 2;
}
