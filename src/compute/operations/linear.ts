// Products of matrices.
import { apply, type Operation, sameShape, shapeMismatch, type Value } from "../graph.ts";
import { transpose } from "./shape.ts";

type Flags = { transA: boolean; transB: boolean; alpha: number };

const gemmOperation: Operation<Flags> = {
  name: "gemm",
  shape: ([a, b, c], { transA, transB }) => {
    if (a!.length !== 2 || b!.length !== 2) shapeMismatch("gemm", [a!, b!]);
    const [rows, inner] = transA ? [a![1]!, a![0]!] : [a![0]!, a![1]!];
    const [otherInner, cols] = transB ? [b![1]!, b![0]!] : [b![0]!, b![1]!];
    if (inner !== otherInner || (c && !sameShape(c, [rows, cols]))) shapeMismatch("gemm", [a!, b!, ...(c ? [c] : [])]);
    return [rows, cols];
  },
  onnx: (emit, inputs, { transA, transB, alpha }) =>
    emit.node("Gemm", inputs, {
      transA: { int: Number(transA) },
      transB: { int: Number(transB) },
      alpha: { float: alpha },
    }),
  gradient: ({ inputs: [a, b, c], attributes }, upstream) => {
    const { transA, transB, alpha } = attributes as Flags;
    const towardsA = transA
      ? gemm(b!, upstream, { transA: transB, transB: true, alpha })
      : gemm(upstream, b!, { transB: !transB, alpha });
    const towardsB = transB
      ? gemm(upstream, a!, { transA: true, transB: transA, alpha })
      : gemm(a!, upstream, { transA: !transA, alpha });
    return c ? [towardsA, towardsB, upstream] : [towardsA, towardsB];
  },
};

const matmulOperation: Operation<Record<never, never>> = {
  name: "matmul",
  shape: ([a, b]) =>
    a!.length === b!.length && sameShape(a!.slice(0, -2), b!.slice(0, -2)) && a!.at(-1) === b!.at(-2)
      ? [...a!.slice(0, -1), b!.at(-1)!]
      : shapeMismatch("matmul", [a!, b!]),
  onnx: (emit, inputs) => emit.node("MatMul", inputs),
  gradient: ({ inputs: [a, b] }, upstream) => [matmul(upstream, swapLast(b!)), matmul(swapLast(a!), upstream)],
};

/** alpha · op(A) · op(B), plus `addTo` when given: of two matrices. */
export function gemm(a: Value, b: Value, options: Partial<Flags> & { addTo?: Value } = {}): Value {
  const { transA = false, transB = false, alpha = 1, addTo } = options;
  return apply(gemmOperation, addTo ? [a, b, addTo] : [a, b], { transA, transB, alpha });
}

/** Stacks of matrices, multiplied pairwise: [..., n, k] × [..., k, m] → [..., n, m]; the leading axes are equal. */
export const matmul = (a: Value, b: Value): Value => apply(matmulOperation, [a, b], {});

/** A dense layer as checkpoints store it: x [tokens, in], weight [out, in] → [tokens, out]. */
export const linear = (x: Value, weight: Value): Value => gemm(x, weight, { transB: true });

/** Swaps the last two axes. */
export function swapLast(x: Value): Value {
  const order = x.shape.map((_, axis) => axis);
  return transpose(x, [...order.slice(0, -2), order.at(-1)!, order.at(-2)!]);
}
