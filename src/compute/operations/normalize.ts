// Operations along the last axis: norms, softmax, rotary embedding, and the reductions that a loss needs.
import { apply, type Operation, shapeMismatch, type Value } from "../graph.ts";
import { add, mul, reciprocal, scale, shift, sqrt, sub, sum, sumTo } from "./elementwise.ts";

type None = Record<never, never>;

const lastAxis = (x: Value): number => x.shape.length - 1;
const sumLast = (x: Value): Value => sum(x, [lastAxis(x)]);

const softmaxOperation: Operation<None> = {
  name: "softmax",
  shape: ([x]) => x!,
  onnx: (emit, inputs) => emit.node("Softmax", inputs, { axis: { int: -1 } }),
  gradient: (y, upstream) => [mul(y, sub(upstream, sumLast(mul(upstream, y))))],
};

const rmsNormOperation: Operation<{ epsilon: number }> = {
  name: "rmsNorm",
  shape: ([x, weight]) =>
    weight!.length === 1 && weight![0] === x!.at(-1) ? x! : shapeMismatch("rmsNorm", [x!, weight!]),
  onnx: (emit, inputs, { epsilon }) =>
    emit.node("RMSNormalization", inputs, { axis: { int: -1 }, epsilon: { float: epsilon } }),
  // With r = 1/√(mean x² + ε) and u = upstream · weight: dx = r·u − x · r³/n · Σ x·u.
  gradient: ({ inputs: [x, weight], attributes }, upstream) => {
    const size = x!.shape.at(-1)!;
    const meanSquare = scale(sumLast(mul(x!, x!)), 1 / size);
    const r = reciprocal(sqrt(shift(meanSquare, attributes.epsilon as number)));
    const weighted = mul(upstream, weight!);
    const along = scale(mul(sumLast(mul(x!, weighted)), mul(r, mul(r, r))), 1 / size);
    const towardsWeight = sumTo(mul(upstream, mul(x!, r)), weight!.shape);
    return [sub(mul(weighted, r), mul(x!, along)), towardsWeight];
  },
};

const standardizeOperation: Operation<{ epsilon: number }> = {
  name: "standardize",
  shape: ([x]) => x!,
  onnx: (emit, [x], { epsilon }, [shape]) => {
    const size = shape!.at(-1)!;
    const ones = emit.constant("float", new Array<number>(size).fill(1), [size]);
    return emit.node("LayerNormalization", [x!, ones], { axis: { int: -1 }, epsilon: { float: epsilon } });
  },
  // With r = 1/√(var + ε) and y = (x − mean) · r: dx = r · (u − mean u − y · mean(u·y)).
  gradient: (y, upstream) => {
    const [x] = y.inputs as [Value];
    const size = x.shape.at(-1)!;
    const mean = (value: Value): Value => scale(sumLast(value), 1 / size);
    const centred = sub(x, mean(x));
    const r = reciprocal(sqrt(shift(mean(mul(centred, centred)), y.attributes.epsilon as number)));
    return [mul(r, sub(sub(upstream, mean(upstream)), mul(y, mean(mul(upstream, y)))))];
  },
};

const rotateHalfOperation: Operation<None> = {
  name: "rotateHalf",
  shape: ([x]) => (x!.at(-1)! % 2 === 0 ? x! : shapeMismatch("rotateHalf", [x!])),
  onnx: (emit, [x], _, [shape]) => {
    const half = shape!.at(-1)! / 2;
    const part = (start: number, end: number) =>
      emit.node("Slice", [
        x!,
        emit.constant("int64", [start], [1]),
        emit.constant("int64", [end], [1]),
        emit.constant("int64", [-1], [1]),
      ]);
    return emit.node("Concat", [emit.node("Neg", [part(half, 2 * half)]), part(0, half)], { axis: { int: -1 } });
  },
  // A rotation by a quarter turn: its transpose is its negative.
  gradient: (_, upstream) => [scale(rotateHalf(upstream), -1)],
};

const maxOperation: Operation<None> = {
  name: "max",
  shape: ([x]) => x!.with(-1, 1),
  onnx: (emit, [x]) => emit.node("ReduceMax", [x!, emit.constant("int64", [-1], [1])], { keepdims: { int: 1 } }),
};

const argMaxOperation: Operation<None> = {
  name: "argMax",
  shape: ([x]) => x!.with(-1, 1),
  onnx: (emit, [x]) =>
    emit.node("Cast", [emit.node("ArgMax", [x!], { axis: { int: -1 }, keepdims: { int: 1 } })], {
      to: { int: 6 /* INT32 */ },
    }),
};

const pickOperation: Operation<None> = {
  name: "pick",
  shape: ([, indices]) => indices!,
  onnx: (emit, inputs) => emit.node("GatherElements", inputs, { axis: { int: -1 } }),
};

/** Softmax over the last axis. */
export const softmax = (x: Value): Value => apply(softmaxOperation, [x], {});
/** x / √(mean x² + ε) · weight over the last axis (Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4). */
export const rmsNorm = (x: Value, weight: Value, epsilon: number): Value =>
  apply(rmsNormOperation, [x, weight], { epsilon });
/** (x − mean) / √(var + ε) over the last axis (Ba et al. 2016, arXiv:1607.06450), without gain and bias. */
export const standardize = (x: Value, epsilon: number): Value => apply(standardizeOperation, [x], { epsilon });
/** [a, b] → [−b, a] on the halves of the last axis. */
export const rotateHalf = (x: Value): Value => apply(rotateHalfOperation, [x], {});
/** Rotary position embedding (Su et al. 2021, arXiv:2104.09864, eq. 34): cos and sin [positions, headDim] broadcast over x. */
export const rotary = (x: Value, cos: Value, sin: Value): Value => add(mul(x, cos), mul(rotateHalf(x), sin));
/** Largest element of the last axis, which stays with size 1. */
export const max = (x: Value): Value => apply(maxOperation, [x], {});
/** Index of the largest element of the last axis (the first of equals), i32. */
export const argMax = (x: Value): Value => apply(argMaxOperation, [x], {}, "i32");
/** Elements of the last axis by index: x [..., n], indices i32 [..., k] → [..., k]. */
export const pick = (x: Value, indices: Value): Value => apply(pickOperation, [x, indices], {});
