// The product in three loops: slow, and right. The oracle for every other Gemm.
import { type Gemm, type GemmOptions, type Matrix, matrix } from "./gemm.ts";

function product(a: Matrix<Float32Array | Float64Array>, b: Matrix<Float32Array | Float64Array>, options: GemmOptions) {
  const { transA = false, transB = false, alpha = 1 } = options;
  const [rows, inner] = transA ? [a.cols, a.rows] : [a.rows, a.cols];
  const [innerB, cols] = transB ? [b.cols, b.rows] : [b.rows, b.cols];
  if (inner !== innerB) throw new RangeError(`inner sizes differ: [${rows}, ${inner}] · [${innerB}, ${cols}]`);
  const sums = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < inner; k++) {
      const left = alpha * a.data[transA ? k * rows + i : i * inner + k]!;
      for (let j = 0; j < cols; j++) sums[i * cols + j]! += left * b.data[transB ? j * inner + k : k * cols + j]!;
    }
  return { rows, cols, sums };
}

/** {@link Gemm} in plain loops with f64 sums; for tests and small matrices. */
export const referenceGemm: Gemm = async <D extends Float32Array | Float64Array>(
  a: Matrix<D>,
  b: Matrix<D>,
  options: GemmOptions = {},
  into?: Matrix<D>,
): Promise<Matrix<D>> => {
  const { rows, cols, sums } = product(a, b, options);
  const target =
    into ??
    matrix(
      rows,
      cols,
      (a.data instanceof Float32Array ? new Float32Array(rows * cols) : new Float64Array(rows * cols)) as D,
    );
  if (target.rows !== rows || target.cols !== cols)
    throw new RangeError(`the product is [${rows}, ${cols}], not [${target.rows}, ${target.cols}]`);
  for (let i = 0; i < sums.length; i++) target.data[i]! += sums[i]!;
  return target;
};
