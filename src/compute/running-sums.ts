// Sums over rows that grow from run to run of a graph: each is an output that adds to an input, the sum so far.
import type { Graph, Value } from "./graph.ts";
import { add, gemm, reshape, slice, sum, transpose } from "./operations/index.ts";
import { type Tensor, tensor } from "./tensor.ts";

/** Sums so far, by the names of the outputs. */
export type RunningSums = Readonly<Record<string, Tensor<Float32Array>>>;

/** Rows of a band of a Gram matrix: few enough to leave most of its mirror image out, enough to keep the processor busy. */
const BAND_ROWS = 512;

/** As inputs of the graph that adds to them. */
export const sumsBefore = (sums: RunningSums): RunningSums =>
  Object.fromEntries(Object.entries(sums).map(([name, value]) => [before(name), value]));

export const emptySum = (name: string, rows: number, cols: number): RunningSums => ({
  [name]: tensor(new Float32Array(rows * cols), [rows, cols]),
});

/** Σ a bᵀ over the rows a [n, size], b [n, otherSize] of two values. [size, otherSize] */
export function addProduct(graph: Graph, name: string, a: Value, b: Value): void {
  const addTo = graph.input(before(name), [a.shape[1]!, b.shape[1]!]);
  graph.output(name, gemm(a, b, { transA: true, addTo }));
}

/** Σ z over the rows of a value [n, size]. [1, size] */
export function addTotal(graph: Graph, name: string, value: Value): void {
  const shape = [1, value.shape[1]!];
  graph.output(name, add(reshape(sum(value, [0]), shape), graph.input(before(name), shape)));
}

/**
 * Σ z zᵀ over the rows of a value [n, size], in bands of rows that start at the diagonal: the rest is their mirror image. On z
 * turned round, since the processor gets through long rows faster.
 */
export function addGram(graph: Graph, name: string, value: Value): void {
  const size = value.shape[1]!;
  const turned = transpose(value, [1, 0]);
  const rows = (start: number, end: number): Value => (end - start === size ? turned : slice(turned, 0, start, end));
  for (const { start, end } of bandsOf(size)) {
    const addTo = graph.input(before(bandName(name, start)), [end - start, size - start]);
    graph.output(bandName(name, start), gemm(rows(start, end), rows(start, size), { transB: true, addTo }));
  }
}

export const emptyGram = (name: string, size: number): RunningSums =>
  Object.assign(
    {},
    ...bandsOf(size).map(({ start, end }) => emptySum(bandName(name, start), end - start, size - start)),
  );

/** The whole matrix of the bands. [size, size] */
export function wholeGram(sums: RunningSums, name: string, size: number): Tensor<Float32Array> {
  const whole = new Float32Array(size * size);
  for (const { start, end } of bandsOf(size)) {
    const { data } = sums[bandName(name, start)]!;
    const width = size - start;
    for (let row = start; row < end; row++) {
      const values = data.subarray((row - start) * width, (row - start + 1) * width);
      whole.set(values, row * size + start);
      for (let column = row + 1; column < size; column++) whole[column * size + row] = values[column - start]!;
    }
  }
  return tensor(whole, [size, size]);
}

const before = (name: string): string => `${name} before`;

const bandName = (name: string, start: number): string => `${name} ${start}`;

/** Bands of about equal height. */
function bandsOf(size: number): { start: number; end: number }[] {
  const count = Math.ceil(size / BAND_ROWS);
  const at = (band: number): number => Math.round((band * size) / count);
  return Array.from({ length: count }, (_, i) => ({ start: at(i), end: at(i + 1) }));
}
