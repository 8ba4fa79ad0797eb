// Operations that act on each element by itself, with broadcasting for those of two operands, and what broadcasting and its undoing
// are made of: other shapes for the same elements, sums over axes and repeated axes.
import { apply, broadcastShape, elementCount, type Operation, sameShape, shapeMismatch, type Value } from "../graph.ts";
import type { Shape } from "../tensor.ts";

type None = Record<never, never>;

/** The largest value of f16. */
const LARGEST_F16 = 65504;

const reshapeOperation: Operation<{ shape: readonly number[] }> = {
  name: "reshape",
  shape: ([x], { shape }) => (elementCount(x!) === elementCount(shape) ? shape : shapeMismatch("reshape", [x!, shape])),
  onnx: (emit, [x], { shape }) => emit.node("Reshape", [x!, emit.constant("int64", shape, [shape.length])]),
  gradient: ({ inputs: [x] }, upstream) => [reshape(upstream, x!.shape)],
};

const sumOperation: Operation<{ axes: readonly number[] }> = {
  name: "sum",
  shape: ([x], { axes }) => x!.map((size, axis) => (axes.includes(axis) ? 1 : size)),
  onnx: (emit, [x], { axes }) =>
    emit.node("ReduceSum", [x!, emit.constant("int64", axes, [axes.length])], { keepdims: { int: 1 } }),
  gradient: ({ inputs: [x] }, upstream) => [expand(upstream, x!.shape)],
};

const expandOperation: Operation<{ shape: readonly number[] }> = {
  name: "expand",
  shape: (_, { shape }) => shape,
  onnx: (emit, [x], { shape }) => emit.node("Expand", [x!, emit.constant("int64", shape, [shape.length])]),
  gradient: ({ inputs: [x] }, upstream) => [sumTo(upstream, x!.shape)],
};

function binary(name: string, opType: string, gradient: NonNullable<Operation<None>["gradient"]>): Operation<None> {
  return {
    name,
    shape: ([a, b]) => broadcastShape(name, a!, b!),
    onnx: (emit, inputs) => emit.node(opType, inputs),
    gradient: (value, upstream) => gradient(value, upstream).map((g, i) => g && sumTo(g, value.inputs[i]!.shape)),
  };
}

function unary(name: string, opType: string, gradient: (value: Value, upstream: Value) => Value): Operation<None> {
  return {
    name,
    shape: ([x]) => x!,
    onnx: (emit, inputs) => emit.node(opType, inputs),
    gradient: (value, upstream) => [gradient(value, upstream)],
  };
}

const addOperation = binary("add", "Add", (_, upstream) => [upstream, upstream]);
const subOperation = binary("sub", "Sub", (_, upstream) => [upstream, scale(upstream, -1)]);
const mulOperation = binary("mul", "Mul", ({ inputs: [a, b] }, upstream) => [mul(upstream, b!), mul(upstream, a!)]);

const scaleOperation: Operation<{ factor: number }> = {
  name: "scale",
  shape: ([x]) => x!,
  onnx: (emit, [x], { factor }) => emit.node("Mul", [x!, emit.constant("float", [factor], [])]),
  gradient: (value, upstream) => [scale(upstream, value.attributes.factor as number)],
};

const shiftOperation: Operation<{ amount: number }> = {
  name: "shift",
  shape: ([x]) => x!,
  onnx: (emit, [x], { amount }) => emit.node("Add", [x!, emit.constant("float", [amount], [])]),
  gradient: (_, upstream) => [upstream],
};

const sigmoidOperation = unary("sigmoid", "Sigmoid", (y, upstream) => mul(upstream, sub(y, mul(y, y))));
const tanhOperation = unary("tanh", "Tanh", (y, upstream) => sub(upstream, mul(upstream, mul(y, y))));
const expOperation = unary("exp", "Exp", (y, upstream) => mul(upstream, y));
const erfOperation = unary("erf", "Erf", ({ inputs: [x] }, upstream) =>
  scale(mul(upstream, exp(scale(mul(x!, x!), -1))), 2 / Math.sqrt(Math.PI)),
);
const sqrtOperation = unary("sqrt", "Sqrt", (y, upstream) => scale(mul(upstream, reciprocal(y)), 0.5));
const reciprocalOperation = unary("reciprocal", "Reciprocal", (y, upstream) => scale(mul(upstream, mul(y, y)), -1));

/** Slope of the exact GELU: Φ(x) + x·φ(x). */
function geluSlope(x: Value): Value {
  const cdf = scale(shift(erf(scale(x, Math.SQRT1_2)), 1), 0.5);
  const density = scale(exp(scale(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return add(cdf, mul(x, density));
}

/** Slope of the tanh approximation ½x(1 + tanh u), u = √(2/π)(x + 0.044715x³). */
function geluTanhSlope(x: Value): Value {
  const c = Math.sqrt(2 / Math.PI);
  const square = mul(x, x);
  const t = tanh(scale(mul(x, shift(scale(square, 0.044715), 1)), c));
  const inner = scale(shift(scale(square, 3 * 0.044715), 1), c);
  const bell = shift(scale(mul(t, t), -1), 1);
  return scale(add(shift(t, 1), mul(mul(x, bell), inner)), 0.5);
}

const reluOperation: Operation<None> = {
  name: "relu",
  shape: ([x]) => x!,
  onnx: (emit, inputs) => emit.node("Relu", inputs),
  gradient: (y, upstream) => [mul(upstream, sign(y))],
};

const signOperation: Operation<None> = {
  name: "sign",
  shape: ([x]) => x!,
  onnx: (emit, inputs) => emit.node("Sign", inputs),
};

const softplusOperation: Operation<None> = {
  name: "softplus",
  shape: ([x]) => x!,
  onnx: (emit, inputs) => emit.node("Softplus", inputs),
  gradient: ({ inputs: [x] }, upstream) => [mul(upstream, sigmoid(x!))],
};

const geluOperation: Operation<{ approximate: "none" | "tanh" }> = {
  name: "gelu",
  shape: ([x]) => x!,
  onnx: (emit, inputs, { approximate }) => emit.node("Gelu", inputs, { approximate: { string: approximate } }),
  gradient: ({ inputs: [x], attributes }, upstream) => [
    mul(upstream, attributes.approximate === "tanh" ? geluTanhSlope(x!) : geluSlope(x!)),
  ],
};

/** Between f16 and f32. */
const castOperation: Operation<{ type: "f16" | "f32" }> = {
  name: "cast",
  shape: ([x]) => x!,
  onnx: (emit, [x], { type }) => {
    const to = { to: { elementType: type } };
    if (type === "f32") return emit.node("Cast", [x!], to);
    const limits = [-LARGEST_F16, LARGEST_F16].map((limit) => emit.constant("float", [limit], []));
    return emit.node("Cast", [emit.node("Clip", [x!, ...limits])], to);
  },
};

export const add = (a: Value, b: Value): Value => apply(addOperation, [a, b], {});
export const sub = (a: Value, b: Value): Value => apply(subOperation, [a, b], {});
export const mul = (a: Value, b: Value): Value => apply(mulOperation, [a, b], {});
/** x · factor, a constant of the graph. */
export const scale = (x: Value, factor: number): Value => (factor === 1 ? x : apply(scaleOperation, [x], { factor }));
/** x + amount, a constant of the graph. */
export const shift = (x: Value, amount: number): Value => (amount === 0 ? x : apply(shiftOperation, [x], { amount }));
export const sigmoid = (x: Value): Value => apply(sigmoidOperation, [x], {});
export const tanh = (x: Value): Value => apply(tanhOperation, [x], {});
export const exp = (x: Value): Value => apply(expOperation, [x], {});
export const erf = (x: Value): Value => apply(erfOperation, [x], {});
export const sqrt = (x: Value): Value => apply(sqrtOperation, [x], {});
export const reciprocal = (x: Value): Value => apply(reciprocalOperation, [x], {});
export const silu = (x: Value): Value => mul(x, sigmoid(x));
/** Gaussian error linear unit, exact ("none") or by its tanh approximation. */
export const gelu = (x: Value, approximate: "none" | "tanh"): Value => apply(geluOperation, [x], { approximate });
export const relu = (x: Value): Value => apply(reluOperation, [x], {});
/** −1, 0 or 1. */
export const sign = (x: Value): Value => apply(signOperation, [x], {});
/** The nearest values of another type, ties to even; what is too large for f16 becomes its largest. */
export const cast = (x: Value, type: "f16" | "f32"): Value =>
  x.type === type ? x : apply(castOperation, [x], { type }, type);
/** log(1 + exp(x)). */
export const softplus = (x: Value): Value => apply(softplusOperation, [x], {});
/** cap · tanh(x / cap); x itself without a cap. */
export const softCap = (x: Value, cap: number | undefined): Value =>
  cap === undefined ? x : scale(tanh(scale(x, 1 / cap)), cap);

export const reshape = (x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : apply(reshapeOperation, [x], { shape });
/** Sum over axes, which stay with size 1. */
export const sum = (x: Value, axes: readonly number[]): Value => apply(sumOperation, [x], { axes });
/** Repeats axes of size 1 up to a shape of the same rank. */
export const expand = (x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : apply(expandOperation, [x], { shape });

/** Undoes broadcasting: sums x over every axis along which `shape` was stretched. */
export function sumTo(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((size, axis) => (axis < lead || (shape[axis - lead] === 1 && size !== 1) ? [axis] : []));
  return reshape(axes.length === 0 ? x : sum(x, axes), shape);
}
