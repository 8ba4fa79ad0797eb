// Operations that rearrange, cut or join elements, and sums along an axis.
import { apply, type Operation, sameShape, shapeMismatch, type Value } from "../graph.ts";

const transposeOperation: Operation<{ order: readonly number[] }> = {
  name: "transpose",
  shape: ([x], { order }) =>
    order.length === x!.length ? order.map((axis) => x![axis]!) : shapeMismatch("transpose", [x!, order]),
  onnx: (emit, inputs, { order }) => emit.node("Transpose", inputs, { perm: { ints: order } }),
  gradient: ({ attributes }, upstream) => {
    const order = attributes.order as readonly number[];
    return [
      transpose(
        upstream,
        order.map((_, axis) => order.indexOf(axis)),
      ),
    ];
  },
};

const sliceOperation: Operation<{ axis: number; start: number; end: number }> = {
  name: "slice",
  shape: ([x], { axis, start, end }) =>
    start < 0 || end > x![axis]! || start >= end
      ? shapeMismatch("slice", [x!, [start, end]])
      : x!.with(axis, end - start),
  onnx: (emit, [x], { axis, start, end }) =>
    emit.node("Slice", [
      x!,
      emit.constant("int64", [start], [1]),
      emit.constant("int64", [end], [1]),
      emit.constant("int64", [axis], [1]),
    ]),
  gradient: ({ inputs: [x], attributes }, upstream) => {
    const { axis, start, end } = attributes as { axis: number; start: number; end: number };
    return [pad(upstream, axis, start, x!.shape[axis]! - end)];
  },
};

const padOperation: Operation<{ axis: number; before: number; after: number }> = {
  name: "pad",
  shape: ([x], { axis, before, after }) => x!.with(axis, before + x![axis]! + after),
  onnx: (emit, [x], { axis, before, after }, [shape]) => {
    // for all axes: onnxruntime fails where it moves a transposition past a Pad that names its axes
    const none = shape!.map(() => 0);
    const pads = [...none.with(axis, before), ...none.with(axis, after)];
    return emit.node("Pad", [x!, emit.constant("int64", pads, [pads.length]), emit.constant("float", [0], [])]);
  },
  gradient: ({ inputs: [x], attributes }, upstream) => {
    const { axis, before } = attributes as { axis: number; before: number };
    return [slice(upstream, axis, before, before + x!.shape[axis]!)];
  },
};

const concatOperation: Operation<{ axis: number }> = {
  name: "concat",
  shape: (shapes, { axis }) =>
    shapes.reduce((a, b) =>
      sameShape(a.with(axis, 0), b.with(axis, 0)) ? a.with(axis, a[axis]! + b[axis]!) : shapeMismatch("concat", [a, b]),
    ),
  onnx: (emit, inputs, { axis }) => emit.node("Concat", inputs, { axis: { int: axis } }),
  gradient: ({ inputs, attributes }, upstream) => {
    const axis = attributes.axis as number;
    let start = 0;
    return inputs.map((input) => {
      const end = start + input.shape[axis]!;
      const part = slice(upstream, axis, start, end);
      start = end;
      return part;
    });
  },
};

const cumulativeSumOperation: Operation<{ axis: number; reverse: boolean }> = {
  name: "cumulativeSum",
  shape: ([x]) => x!,
  onnx: (emit, [x], { axis, reverse }) =>
    emit.node("CumSum", [x!, emit.constant("int64", [axis], [])], { reverse: { int: Number(reverse) } }),
  gradient: ({ attributes }, upstream) => {
    const { axis, reverse } = attributes as { axis: number; reverse: boolean };
    return [apply(cumulativeSumOperation, [upstream], { axis, reverse: !reverse })];
  },
};

const lowerTriangleOperation: Operation<{ diagonal: number }> = {
  name: "lowerTriangle",
  shape: ([x]) => (x!.length >= 2 ? x! : shapeMismatch("lowerTriangle", [x!])),
  onnx: (emit, [x], { diagonal }) =>
    emit.node("Trilu", [x!, emit.constant("int64", [diagonal], [])], { upper: { int: 0 } }),
  gradient: ({ attributes }, upstream) => [lowerTriangle(upstream, attributes.diagonal as number)],
};

/** Permutes the axes: axis i of the result is axis order[i] of x. */
export const transpose = (x: Value, order: readonly number[]): Value => apply(transposeOperation, [x], { order });
/** Elements `start` to `end` − 1 of an axis; the value itself where these are all. */
export const slice = (x: Value, axis: number, start: number, end: number): Value =>
  start === 0 && end === x.shape[axis] ? x : apply(sliceOperation, [x], { axis, start, end });
/** An axis in parts of the given sizes, which together are all of it. */
export function split(x: Value, axis: number, sizes: readonly number[]): Value[] {
  let end = 0;
  return sizes.map((size) => {
    end += size;
    return slice(x, axis, end - size, end);
  });
}
/** Zeros before and after on one axis. */
export const pad = (x: Value, axis: number, before: number, after: number): Value =>
  apply(padOperation, [x], { axis, before, after });
export const concat = (values: readonly Value[], axis: number): Value =>
  values.length === 1 ? values[0]! : apply(concatOperation, values, { axis });
/** Sums of the elements up to each along an axis. */
export const cumulativeSum = (x: Value, axis: number): Value =>
  apply(cumulativeSumOperation, [x], { axis, reverse: false });
/** Zero above a diagonal of the last two axes: 0 is the main one, −1 the one below it. */
export const lowerTriangle = (x: Value, diagonal: number): Value => apply(lowerTriangleOperation, [x], { diagonal });
