import { describe, expect, test } from "vitest";
import { differentiate } from "../../src/compute/differentiate.ts";
import { Graph, type Value } from "../../src/compute/graph.ts";
import { elementCount, elementTypeOf, type Shape, type Tensor, tensor } from "../../src/compute/tensor.ts";
import { nodeBackend } from "../../src/node/host.ts";
import * as op from "../helpers/operations.ts";

const backend = nodeBackend(1);

type Build = (inputs: Value[]) => Value;

/** Runs one operation on given numbers. */
async function evaluate(build: Build, ...inputs: Tensor[]): Promise<Tensor> {
  const graph = new Graph();
  const values = inputs.map(({ data, shape }, i) => graph.input(`x${i}`, shape, elementTypeOf(data)));
  const result = build(values);
  graph.output("y", result);
  const program = await backend.compile(graph);
  const { y } = await program.run(Object.fromEntries(inputs.map((input, i) => [`x${i}`, input])));
  await program.release();
  expect(y!.shape).toEqual(result.shape);
  return y!;
}

const f32 = (values: number[], shape: Shape): Tensor<Float32Array> => tensor(Float32Array.from(values), shape);
const rounded = ({ data }: Tensor): number[] => Array.from(data, (x) => Number(x.toFixed(4)));

/** Smooth, distinct numbers in about (−1, 1): deterministic, no two axes alike. */
const wavy = (shape: Shape, phase: number): Tensor<Float32Array> =>
  f32(
    Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(1.7 * i + phase) * 0.9),
    shape,
  );

describe("operations compute what their formula says", () => {
  test("softmax of equal scores is uniform", async () => {
    expect(rounded(await evaluate(([x]) => op.softmax(x!), f32([2, 2, 0, 0], [2, 2])))).toEqual([0.5, 0.5, 0.5, 0.5]);
  });

  test("rmsNorm divides by the root mean square and multiplies by the weight", async () => {
    // √((9 + 16) / 2) = 3.5355
    const y = await evaluate(([x, w]) => op.rmsNorm(x!, w!, 0), f32([3, 4], [1, 2]), f32([1, 2], [2]));
    expect(rounded(y)).toEqual([0.8485, 2.2627]);
  });

  test("rotary turns a pair of halves by the angle", async () => {
    const y = await evaluate(
      ([x, c, s]) => op.rotary(x!, c!, s!),
      f32([1, 0, 2, 3], [2, 1, 1, 2]),
      f32([0, 0], [1, 2]),
      f32([1, 1], [1, 2]),
    );
    expect(rounded(y)).toEqual([0, 1, -3, 2]);
  });

  test("rotary takes a table for each sequence, too", async () => {
    const y = await evaluate(
      ([x, c, s]) => op.rotary(x!, c!, s!),
      f32([1, 0, 2, 3], [2, 1, 1, 2]),
      f32([0, 0, -1, -1], [2, 1, 1, 2]),
      f32([1, 1, 0, 0], [2, 1, 1, 2]),
    );
    expect(rounded(y)).toEqual([0, 1, -2, -3]);
  });

  test("gelu at 1 is 0.8413 exactly and 0.8412 by tanh", async () => {
    expect(rounded(await evaluate(([x]) => op.gelu(x!, "none"), f32([1], [1])))).toEqual([0.8413]);
    expect(rounded(await evaluate(([x]) => op.gelu(x!, "tanh"), f32([1], [1])))).toEqual([0.8412]);
  });

  test("linear multiplies by the transposed weight", async () => {
    expect(
      rounded(await evaluate(([x, w]) => op.linear(x!, w!), f32([1, 2], [1, 2]), f32([1, 0, 0, 1, 1, 1], [3, 2]))),
    ).toEqual([1, 2, 3]);
  });

  test("argMax and pick work on the last axis", async () => {
    expect([...(await evaluate(([x]) => op.argMax(x!), f32([1, 3, 2, 9, 0, 1], [2, 3]))).data]).toEqual([1, 0]);
    const picked = await evaluate(
      ([x, i]) => op.pick(x!, i!),
      f32([1, 3, 2, 9, 0, 1], [2, 3]),
      tensor(Int32Array.of(2, 0), [2, 1]),
    );
    expect(rounded(picked)).toEqual([2, 9]);
  });

  test("relu, softplus and a soft cap", async () => {
    expect(rounded(await evaluate(([x]) => op.relu(x!), f32([-1, 0, 2], [3])))).toEqual([0, 0, 2]);
    // log(1 + e) and log(1 + 1/e)
    expect(rounded(await evaluate(([x]) => op.softplus(x!), f32([1, -1], [2])))).toEqual([1.3133, 0.3133]);
    // 2 tanh(1)
    expect(rounded(await evaluate(([x]) => op.softCap(x!, 2), f32([2, 0], [2])))).toEqual([1.5232, 0]);
  });

  test("standardize takes off the mean and divides by the deviation", async () => {
    // mean 2, variance 2/3
    expect(rounded(await evaluate(([x]) => op.standardize(x!, 0), f32([1, 2, 3], [1, 3])))).toEqual([
      -1.2247, 0, 1.2247,
    ]);
  });

  test("cumulativeSum adds along an axis, lowerTriangle leaves what is on a diagonal and below", async () => {
    const x = f32([1, 2, 3, 4], [2, 2]);
    expect(rounded(await evaluate(([v]) => op.cumulativeSum(v!, 0), x))).toEqual([1, 2, 4, 6]);
    expect(rounded(await evaluate(([v]) => op.cumulativeSum(v!, 1), x))).toEqual([1, 3, 3, 7]);
    expect(rounded(await evaluate(([v]) => op.lowerTriangle(v!, 0), x))).toEqual([1, 0, 3, 4]);
    expect(rounded(await evaluate(([v]) => op.lowerTriangle(v!, -1), x))).toEqual([0, 0, 3, 0]);
  });

  test("cast rounds to the nearest f16, ties to even, and stays finite; and gives f32 back", async () => {
    // sign, five bits of exponent above −15, ten of fraction: 1/3 = 0 01101 0101010101, 1 + 2⁻¹¹ is a tie
    const x = f32([1, -2, 1 / 3, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -24, 65504, 1e6, -1e6], [9]);
    const bits = [0x3c00, 0xc000, 0x3555, 0x3c00, 0x3c02, 0x0001, 0x7bff, 0x7bff, 0xfbff];
    const packed = await evaluate(([v]) => op.cast(v!, "f16"), x);
    expect(packed.data).toEqual(Uint16Array.from(bits));
    const back = await evaluate(([v]) => op.cast(v!, "f32"), packed);
    const values = [1, -2, 1365 / 4096, 1, 1 + 2 ** -9, 2 ** -24, 65504, 65504, -65504];
    expect([...back.data]).toEqual(values);
  });

  test("operands that do not fit are refused when the graph is built", () => {
    const graph = new Graph();
    expect(() => op.linear(graph.input("x", [2, 3]), graph.input("w", [4, 5]))).toThrow(
      "gemm does not take [2, 3] and [4, 5]",
    );
  });
});

/** Each differentiable operation as a function of its inputs, with the shapes of these. */
const differentiable: [string, Build, Shape[]][] = [
  ["add, stretched", ([a, b]) => op.add(a!, b!), [[2, 3], [3]]],
  [
    "sub, stretched",
    ([a, b]) => op.sub(a!, b!),
    [
      [2, 1],
      [2, 3],
    ],
  ],
  [
    "mul, stretched",
    ([a, b]) => op.mul(a!, b!),
    [
      [2, 2, 3],
      [2, 3],
    ],
  ],
  ["scale and shift", ([x]) => op.shift(op.scale(x!, -1.5), 2), [[5]]],
  ["sigmoid", ([x]) => op.sigmoid(x!), [[5]]],
  ["tanh", ([x]) => op.tanh(x!), [[5]]],
  ["exp", ([x]) => op.exp(x!), [[5]]],
  ["erf", ([x]) => op.erf(x!), [[5]]],
  ["sqrt", ([x]) => op.sqrt(op.shift(x!, 3)), [[5]]],
  ["reciprocal", ([x]) => op.reciprocal(op.shift(x!, 3)), [[5]]],
  ["silu", ([x]) => op.silu(x!), [[5]]],
  ["gelu, exact", ([x]) => op.gelu(x!, "none"), [[5]]],
  ["gelu, tanh", ([x]) => op.gelu(x!, "tanh"), [[5]]],
  ["relu", ([x]) => op.relu(op.shift(x!, 0.05)), [[5]]],
  ["softplus", ([x]) => op.softplus(x!), [[5]]],
  ["soft cap", ([x]) => op.softCap(x!, 0.7), [[5]]],
  ["standardize", ([x]) => op.standardize(x!, 1e-5), [[3, 4]]],
  ["cumulativeSum", ([x]) => op.cumulativeSum(x!, 1), [[2, 3, 2]]],
  ["lowerTriangle", ([x]) => op.lowerTriangle(x!, -1), [[2, 3, 3]]],
  ["pad of a transposed value", ([x]) => op.transpose(op.pad(op.transpose(x!, [1, 0]), 0, 1, 2), [1, 0]), [[2, 3]]],
  ["softmax", ([x]) => op.softmax(x!), [[2, 4]]],
  ["rmsNorm", ([x, w]) => op.rmsNorm(x!, w!, 1e-5), [[3, 4], [4]]],
  ["reshape", ([x]) => op.reshape(x!, [3, 2]), [[2, 3]]],
  ["transpose", ([x]) => op.transpose(x!, [2, 0, 1]), [[2, 3, 4]]],
  ["slice", ([x]) => op.slice(x!, 1, 1, 3), [[2, 4]]],
  ["pad", ([x]) => op.pad(x!, 0, 1, 2), [[2, 2]]],
  [
    "concat",
    ([a, b]) => op.concat([a!, b!], 1),
    [
      [2, 1],
      [2, 3],
    ],
  ],
  ["sum", ([x]) => op.sum(x!, [0, 2]), [[2, 3, 2]]],
  ["expand", ([x]) => op.expand(x!, [2, 3]), [[2, 1]]],
  [
    "gemm",
    ([a, b]) => op.gemm(a!, b!),
    [
      [2, 3],
      [3, 4],
    ],
  ],
  [
    "gemm, A transposed",
    ([a, b]) => op.gemm(a!, b!, { transA: true }),
    [
      [3, 2],
      [3, 4],
    ],
  ],
  [
    "gemm, B transposed, negative",
    ([a, b]) => op.gemm(a!, b!, { transB: true, alpha: -1 }),
    [
      [2, 3],
      [4, 3],
    ],
  ],
  [
    "gemm, both transposed",
    ([a, b]) => op.gemm(a!, b!, { transA: true, transB: true }),
    [
      [3, 2],
      [4, 3],
    ],
  ],
  [
    "gemm, accumulating",
    ([a, b, c]) => op.gemm(a!, b!, { addTo: c! }),
    [
      [2, 3],
      [3, 2],
      [2, 2],
    ],
  ],
  [
    "matmul",
    ([a, b]) => op.matmul(a!, b!),
    [
      [2, 2, 3],
      [2, 3, 2],
    ],
  ],
  ["a value used twice", ([x]) => op.mul(op.exp(x!), x!), [[4]]],
];

/** Σ weights · build(inputs), by the graph. */
async function weightedSum(build: Build, inputs: Tensor[], weights: Tensor): Promise<number> {
  const y = await evaluate(build, ...inputs);
  return Array.from(y.data).reduce((total, value, i) => total + value * weights.data[i]!, 0);
}

describe("gradients agree with central differences", () => {
  test.each(differentiable)("%s", async (_, build, shapes) => {
    const inputs = shapes.map((shape, i) => wavy(shape, 0.3 + i));
    const graph = new Graph();
    const values = inputs.map(({ shape }, i) => graph.input(`x${i}`, shape));
    const y = build(values);
    const seed = graph.input("seed", y.shape);
    for (const [i, gradient] of differentiate(graph, [[y, seed]], values).entries()) graph.output(`g${i}`, gradient!);
    const weights = wavy(y.shape, 2);
    const program = await backend.compile(graph);
    const result = await program.run({
      ...Object.fromEntries(inputs.map((input, i) => [`x${i}`, input])),
      seed: weights,
    });
    for (const [i, input] of inputs.entries()) {
      for (let j = 0; j < input.data.length; j++) {
        const moved = (step: number) =>
          inputs.map((other, k) => (k === i ? tensor(other.data.with(j, other.data[j]! + step), other.shape) : other));
        const slope =
          ((await weightedSum(build, moved(1e-2), weights)) - (await weightedSum(build, moved(-1e-2), weights))) / 2e-2;
        expect(result[`g${i}`]!.data[j]).toBeCloseTo(slope, 2);
      }
    }
    await program.release();
  });
});

test("the gradient of rotary turns back: by −90 degrees where it turns by 90, and as it is stretched", async () => {
  const graph = new Graph();
  const x = graph.input("x", [1, 1, 2, 2]);
  const [cos, sin] = [graph.input("cos", [2, 2]), graph.input("sin", [2, 2])];
  const seed = graph.input("seed", [1, 1, 2, 2]);
  const [towardsX, towardsCos] = differentiate(graph, [[op.rotary(x, cos, sin), seed]], [x, cos]);
  expect(towardsCos).toBeUndefined();
  graph.output("gradient", towardsX!);
  const program = await backend.compile(graph);
  const { gradient } = await program.run({
    x: f32([5, 6, 7, 8], [1, 1, 2, 2]),
    seed: f32([2, 1, 1, 2], [1, 1, 2, 2]),
    cos: f32([0, 0, 3, 3], [2, 2]),
    sin: f32([1, 1, 0, 0], [2, 2]),
  });
  await program.release();
  expect(rounded(gradient!)).toEqual([1, -2, 3, 6]);
});
