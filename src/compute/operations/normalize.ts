// Operations along the last axis: norms, softmax, rotary embedding, and the reductions that a loss needs.
import { apply, type Operation, sameShape, shapeMismatch, type Value } from "../graph.ts";
import type { Shape } from "../tensor.ts";
import { mul, reciprocal, scale, shift, sqrt, sub, sum, sumTo } from "./elementwise.ts";

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

const rotaryOperation: Operation<None> = {
  name: "rotary",
  shape: ([x, cos, sin]) =>
    x!.length === 4 && isTableOf(x!, cos!) && sameShape(cos!, sin!) ? x! : shapeMismatch("rotary", [x!, cos!, sin!]),
  onnx: (emit, [x, cos, sin], _, [shape, table]) => {
    const [batch, , length, size] = shape as [number, number, number, number];
    const [start, end, lastAxis] = [0, size / 2, -1].map((value) => emit.constant("int64", [value], [1]));
    const [stacked, every] = [
      [table!.length === 2 ? 1 : batch, length, size / 2],
      [batch, length, size / 2],
    ].map((sizes) => emit.constant("int64", sizes, [3]));
    // ONNX takes one half of the tables, one for each sequence
    const halfOf = (whole: string): string => {
      const half = emit.node("Slice", [whole, start!, end!, lastAxis!]);
      return emit.node("Expand", [emit.node("Reshape", [half, stacked!]), every!]);
    };
    return emit.node("RotaryEmbedding", [x!, halfOf(cos!), halfOf(sin!)]);
  },
  // Rotations, at times stretched ones: the transpose turns back.
  gradient: ({ inputs: [, cos, sin] }, upstream) => [rotary(upstream, cos!, scale(sin!, -1)), undefined, undefined],
};

/** Whether a table has a row for each position, of all sequences or of each, as wide as a head of x. */
const isTableOf = ([batch, , length, size]: Shape, table: Shape): boolean =>
  size! % 2 === 0 && (sameShape(table, [length!, size!]) || sameShape(table, [batch!, 1, length!, size!]));

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
/**
 * Rotary position embedding (Su et al. 2021, arXiv:2104.09864, eq. 34) of x [batch, heads, length, headDim]: x · cos + (−x₂, x₁) · sin
 * with x₁, x₂ the halves of the last axis. The halves of a row of a table are equal; no gradient leads to the tables.
 *
 * @param cos, sin of all sequences [length, headDim], or of each [batch, 1, length, headDim]
 */
export const rotary = (x: Value, cos: Value, sin: Value): Value => apply(rotaryOperation, [x, cos, sin], {});
/** Largest element of the last axis, which stays with size 1. */
export const max = (x: Value): Value => apply(maxOperation, [x], {});
/** Index of the largest element of the last axis (the first of equals), i32. */
export const argMax = (x: Value): Value => apply(argMaxOperation, [x], {}, "i32");
/** Elements of the last axis by index: x [..., n], indices i32 [..., k] → [..., k]. */
export const pick = (x: Value, indices: Value): Value => apply(pickOperation, [x, indices], {});
