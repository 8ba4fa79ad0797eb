// What it costs to remove blocks of neighbouring inputs at once, such as the elements of a head, one block after the other.
import { CompError } from "../errors.ts";
import { columnsOf, type Gemm, type Matrix, matrix, rowsOf } from "../linalg/gemm.ts";
import { invertSpd } from "../linalg/invert.ts";

/** The inputs from `start` up to, not including, `end`. */
export interface Block {
  readonly start: number;
  readonly end: number;
}

/** Costs of blocks beyond those that are gone. */
export interface BlockCosts {
  cost(block: Block): Promise<number>;
  remove(block: Block): Promise<void>;
}

/** Sums of scores that do not know of one another. */
export const pooledCosts = (scores: Float64Array): BlockCosts => ({
  cost: async ({ start, end }) => scores.subarray(start, end).reduce((sum, score) => sum + score, 0),
  remove: async () => undefined,
});

/**
 * The least-squares error of removing block b after refitting all other inputs: tr(V_b ([P]_bb)⁻¹ V_bᵀ) with P = H⁻¹, of
 * which only M = VᵀV is needed. Removing b refits V ← V − V_b (P_bb)⁻¹ P_b: and down-dates P ← P − P_:b (P_bb)⁻¹ P_b:.
 *
 * @param inverse P, f64 [size, size]; overwritten
 * @param product M, f64 [size, size]; overwritten
 * @see Kurtic et al. 2023 (ZipLM), arXiv:2302.04089
 *
 * Cost: 3 · size² · b multiply-adds a removal.
 */
export function refittedCosts(gemm: Gemm, inverse: Float64Array, product: Float64Array): BlockCosts {
  const size = Math.sqrt(inverse.length);
  const [whole, weights] = [matrix(size, size, inverse), matrix(size, size, product)];
  return {
    async cost(block) {
      const [solved, own] = [await solvedBlock(gemm, whole, block), innerBlock(weights, block)];
      const cost = solved.data.reduce((sum, value, i) => sum + value * own.data[i]!, 0);
      if (!Number.isFinite(cost)) throw notFinite(cost);
      return Math.max(cost, 0);
    },
    async remove(block) {
      const [rows, lost] = [
        copyOf(rowsOf(whole, block.start, block.end)),
        copyOf(rowsOf(weights, block.start, block.end)),
      ];
      const solved = await gemm(await solvedBlock(gemm, whole, block), rows);
      await gemm(rows, solved, { transA: true, alpha: -1 }, whole);
      // With B = (P_bb)⁻¹ P_b: and E = M_b: − ½ M_bb B, M loses EᵀB + BᵀE.
      const halved = matrix(
        solved.rows,
        size,
        solved.data.map((value) => value / 2),
      );
      await gemm(columnsOf(lost, block.start, block.end), halved, { alpha: -1 }, lost);
      await gemm(lost, solved, { transA: true, alpha: -1 }, weights);
      await gemm(solved, lost, { transA: true, alpha: -1 }, weights);
    },
  };
}

const notFinite = (cost: number): CompError =>
  new CompError("numeric", `a head's removal would cost ${cost}`, {
    hint: "weights or calibration statistics are not finite: check the checkpoint",
  });

/** (P_bb)⁻¹. */
async function solvedBlock(gemm: Gemm, whole: Matrix, block: Block): Promise<Matrix> {
  const inner = innerBlock(whole, block);
  await invertSpd(gemm, inner.data, inner.rows);
  return inner;
}

const innerBlock = (square: Matrix, { start, end }: Block): Matrix => columnsOf(rowsOf(square, start, end), start, end);

const copyOf = ({ rows, cols, data }: Matrix): Matrix => matrix(rows, cols, data.slice());
