// How fast a backend is at what takes a model's time: a product of matrices, with all its data on the way there and back.
import { createRandom } from "../linalg/random.ts";
import type { Backend } from "./backend.ts";
import { Graph } from "./graph.ts";
import { gemm } from "./operations/linear.ts";
import { type Tensor, tensor } from "./tensor.ts";

/** Sizes of a product [rows, inner] · [inner, cols]. */
export interface ProductShape {
  readonly rows: number;
  readonly inner: number;
  readonly cols: number;
}

export interface TimedProduct {
  readonly seconds: number;
  /** The product, of data that are the same each time. [rows, cols] */
  readonly values: Float32Array;
}

/** Multiplications and additions, each counted. */
export const productFlops = ({ rows, inner, cols }: ProductShape): number => 2 * rows * inner * cols;

/** Computes a product twice and times the second: the first has all that is done but once. `now` is a clock in seconds. */
export async function timeProduct(backend: Backend, shape: ProductShape, now: () => number): Promise<TimedProduct> {
  const { rows, inner, cols } = shape;
  const inputs = { a: noise(rows, inner), b: noise(inner, cols) };
  const output = tensor(new Float32Array(rows * cols), [rows, cols]);
  const program = await backend.compile(productGraph(shape));
  try {
    await program.run(inputs, { y: output });
    const start = now();
    await program.run(inputs, { y: output });
    return { seconds: now() - start, values: output.data };
  } finally {
    await program.release();
  }
}

/** ‖a − b‖ / ‖b‖ */
export function relativeDifference(a: Float32Array, b: Float32Array): number {
  let [difference, whole] = [0, 0];
  for (const [i, value] of b.entries()) {
    difference += (a[i]! - value) ** 2;
    whole += value ** 2;
  }
  return Math.sqrt(difference / whole);
}

function productGraph({ rows, inner, cols }: ProductShape): Graph {
  const graph = new Graph();
  graph.output("y", gemm(graph.input("a", [rows, inner]), graph.input("b", [inner, cols]), {}));
  return graph;
}

const random = createRandom(0);
/** As many as make no row of a matrix like another. */
const NOISE = Float32Array.from({ length: 65_537 }, () => random.nextFloat() - 0.5);

const noise = (rows: number, cols: number): Tensor<Float32Array> =>
  tensor(
    new Float32Array(rows * cols).map((_, i) => NOISE[i % NOISE.length]!),
    [rows, cols],
  );
