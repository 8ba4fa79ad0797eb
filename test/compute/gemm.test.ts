import { describe, expect, test } from "vitest";
import { backendGemm } from "../../src/compute/gemm.ts";
import { type Matrix, matrix } from "../../src/linalg/gemm.ts";
import { createRandom } from "../../src/linalg/random.ts";
import { referenceGemm } from "../../src/linalg/reference-gemm.ts";
import { nodeBackend } from "../../src/node/host.ts";

const gemm = backendGemm(nodeBackend(1));
const random = createRandom(1);
type Data = Float32Array | Float64Array;

function filled(type: "f32" | "f64", rows: number, cols: number): Matrix<Data> {
  const data = type === "f32" ? new Float32Array(rows * cols) : new Float64Array(rows * cols);
  return matrix(rows, cols, data.map(() => random.nextFloat() - 0.5) as Data);
}

const copy = ({ rows, cols, data }: Matrix<Data>): Matrix<Data> => ({ rows, cols, data: data.slice() as Data });

function expectEqual(own: Matrix<Data>, expected: Matrix<Data>): void {
  expect([own.rows, own.cols]).toEqual([expected.rows, expected.cols]);
  expected.data.forEach((value, i) => {
    expect(own.data[i]).toBeCloseTo(value, 5);
  });
}

describe.each(["f32", "f64"] as const)("%s", (type) => {
  for (const transA of [false, true])
    for (const transB of [false, true])
      for (const alpha of [1, -1] as const)
        test(`transA ${transA}, transB ${transB}, alpha ${alpha}: new and added to, of two sizes`, async () => {
          for (const [m, k, n] of [
            [3, 4, 5],
            [7, 1, 2],
          ] as const) {
            const a = transA ? filled(type, k, m) : filled(type, m, k);
            const b = transB ? filled(type, n, k) : filled(type, k, n);
            const options = { transA, transB, alpha };
            expectEqual(await gemm(a, b, options), await referenceGemm(a, b, options));
            const into = filled(type, m, n);
            const expected = await referenceGemm(a, b, options, copy(into));
            expect(await gemm(a, b, options, into)).toBe(into);
            expectEqual(into, expected);
          }
        });

  test.each([false, true])("transA %s: added to memory of more than one tile", async (transA) => {
    const [m, k, n] = [1501, 2, type === "f32" ? 3001 : 1501];
    const a = transA ? filled(type, k, m) : filled(type, m, k);
    const b = filled(type, k, n);
    const into = filled(type, m, n);
    const expected = await referenceGemm(a, b, { transA }, copy(into));
    await gemm(a, b, { transA }, into);
    let farthest = 0;
    for (const [i, value] of into.data.entries()) farthest = Math.max(farthest, Math.abs(value - expected.data[i]!));
    expect(farthest).toBeLessThan(1e-5);
  });
});
