// Sums over rows that grow from run to run of a graph: each is an output that adds to an input, the sum so far, in place. A sum
// declares both in the graph and holds the tensor, so that who builds the graph and who runs it share the sum and no names.
import type { Span } from "../linalg/gemm.ts";
import { mirrorUpper } from "../linalg/packed-symmetric.ts";
import type { Value } from "./graph.ts";
import { add, reshape, sum } from "./operations/elementwise.ts";
import { gemm } from "./operations/linear.ts";
import { slice, transpose } from "./operations/shape.ts";
import { elementCount, type Shape, type Tensor, tensor, tensorRows, zeros } from "./tensor.ts";

/**
 * Rows of a part: enough to keep the processor busy, few enough to leave most of the mirror image of a Gram matrix out. Small
 * matrices have smaller parts, and so that graphs stay small large ones have larger.
 */
const PART_ROWS = 384;
const LEAST_ROWS = 192;
const FEW_PARTS = 4;
const MOST_PARTS = 16;

/**
 * All sums of one graph. They are told apart by the order in which they are made: a program that was compiled with other sums
 * serves these too when they were made in the same order and of the same sizes.
 */
export class RunningSums {
  readonly #sums: RunningSum[] = [];

  /** A sum of a shape, zero so far. */
  sum(shape: Shape): RunningSum {
    return this.#sumIn(zeros(shape));
  }

  /** A sum [rows, width] in parts of its rows, zero so far. */
  rows(parts: readonly Span[], width: number): RowSums {
    const whole = zeros([parts.at(-1)?.[1] ?? 0, width]);
    return new RowSums(
      whole,
      parts.map(([start, end]) => this.#sumIn(tensorRows(whole, start, end))),
    );
  }

  /**
   * Σ z zᵀ over vectors z of a size, zero so far. All blocks lie in one array: of many small ones that go the C library would keep
   * the memory.
   */
  gram(size: number): GramSum {
    const parts = partsOf(size);
    const pairs = parts.flatMap((rows, i) =>
      parts.slice(i).map((columns, j) => ({ rows, columns, of: [i, i + j] as const })),
    );
    const shapeOf = ({ rows, columns }: Block): Shape => [rows[1] - rows[0], columns[1] - columns[0]];
    const memory = new Float32Array(pairs.reduce((total, pair) => total + elementCount(shapeOf(pair)), 0));
    let taken = 0;
    const blocks = pairs.map((pair) => {
      const shape = shapeOf(pair);
      const sum = this.#sumIn(tensor(memory.subarray(taken, taken + elementCount(shape)), shape));
      taken += elementCount(shape);
      return { ...pair, sum };
    });
    return new GramSum(size, parts, blocks);
  }

  #sumIn(memory: Tensor<Float32Array>): RunningSum {
    const made = new RunningSum(`sum ${this.#sums.length}`, memory);
    this.#sums.push(made);
    return made;
  }

  /** Adds other sums, made in the same order and of the same sizes, each to its own. */
  merge(others: RunningSums): void {
    for (const [i, { tensor }] of this.#sums.entries()) {
      const more = others.#sums[i]!.tensor.data;
      for (let j = 0; j < more.length; j++) tensor.data[j]! += more[j]!;
    }
  }

  /** The sums so far, for `Program.run` to read. */
  get inputs(): Record<string, Tensor> {
    return Object.fromEntries(this.#sums.map(({ inputName, tensor }) => [inputName, tensor]));
  }

  /** The same tensors, for `Program.run` to write into. */
  get outputs(): Record<string, Tensor> {
    return Object.fromEntries(this.#sums.map(({ outputName, tensor }) => [outputName, tensor]));
  }
}

/** One sum; each graph adds to it once. */
export class RunningSum {
  readonly tensor: Tensor<Float32Array>;
  readonly outputName: string;

  /** @param sofar what it begins with, and its memory */
  constructor(name: string, sofar: Tensor<Float32Array>) {
    this.outputName = name;
    this.tensor = sofar;
  }

  get inputName(): string {
    return `${this.outputName} before`;
  }

  /** Adds a value of the sum's shape, in the value's graph. */
  add(value: Value): void {
    this.#grow(value, (before) => add(value, before));
  }

  /** Adds the rows of a value [n, size] to a sum [1, size]. */
  addRows(value: Value): void {
    this.add(reshape(sum(value, [0]), this.tensor.shape));
  }

  /** Adds aᵀ b of two values [n, rows], [n, cols] to a sum [rows, cols]. */
  addProduct(a: Value, b: Value): void {
    this.#grow(a, (addTo) => gemm(a, b, { transA: true, addTo }));
  }

  /** Adds a b, or a bᵀ, of two values [rows, n] and [n, cols], or [cols, n], to a sum [rows, cols]. */
  addRowProduct(a: Value, b: Value, transB: boolean): void {
    this.#grow(a, (addTo) => gemm(a, b, { transB, addTo }));
  }

  #grow({ graph }: Value, next: (before: Value) => Value): void {
    graph.output(this.outputName, next(graph.input(this.inputName, this.tensor.shape)));
  }
}

/** A sum each part of whose rows is a sum by itself. */
export class RowSums {
  /** The whole. [rows, width] */
  readonly tensor: Tensor<Float32Array>;
  readonly #parts: readonly RunningSum[];

  constructor(whole: Tensor<Float32Array>, parts: readonly RunningSum[]) {
    this.tensor = whole;
    this.#parts = parts;
  }

  /** Adds to each part the sums of the rows of a value [rows of the part, n], to a width of 1. */
  addTotals(values: readonly Value[]): void {
    for (const [i, part] of this.#parts.entries()) part.add(sum(values[i]!, [1]));
  }

  /** Adds to each part the product of a value [rows of the part, n] and b [n, width]. */
  addProducts(values: readonly Value[], b: Value): void {
    for (const [i, part] of this.#parts.entries()) part.addRowProduct(values[i]!, b, false);
  }
}

/** Σ z zᵀ in blocks from the diagonal on: the others are their mirror images. */
export class GramSum {
  /** The elements of z, in the parts that `addRows` takes. */
  readonly parts: readonly Span[];
  readonly #size: number;
  readonly #blocks: readonly GramBlock[];

  constructor(size: number, parts: readonly Span[], blocks: readonly GramBlock[]) {
    this.#size = size;
    this.parts = parts;
    this.#blocks = blocks;
  }

  /** Adds Zᵀ Z of a value Z [n, size], in its graph. */
  add(value: Value): void {
    this.addRows(rowParts(value, this.parts));
  }

  /** Adds Zᵀ Z, from the parts of Zᵀ, each [rows of the part, n]: long rows take the processor less time than long columns. */
  addRows(values: readonly Value[]): void {
    for (const { of, sum: block } of this.#blocks) block.addRowProduct(values[of[0]]!, values[of[1]]!, true);
  }

  /**
   * The whole matrix, a copy. [size, size]
   *
   * @param less what is taken off: a sum of the same size
   */
  whole(less?: GramSum): Tensor<Float32Array> {
    const size = this.#size;
    const whole = zeros([size, size]);
    for (const [i, { rows, columns, sum }] of this.#blocks.entries()) {
      const width = columns[1] - columns[0];
      for (let row = rows[0]; row < rows[1]; row++) {
        const at = (row - rows[0]) * width;
        const values = whole.data.subarray(row * size + columns[0], row * size + columns[1]);
        values.set(sum.tensor.data.subarray(at, at + width));
        if (less) subtract(values, less.#blocks[i]!.sum.tensor.data.subarray(at, at + width));
      }
    }
    mirrorUpper(whole.data, size);
    return whole;
  }
}

/** The columns of a value [n, size] as rows, in parts. */
export function rowParts(value: Value, parts: readonly Span[]): Value[] {
  const transposed = transpose(value, [1, 0]);
  return parts.map(([start, end]) => slice(transposed, 0, start, end));
}

function subtract(values: Float32Array, others: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i]! -= others[i]!;
}

interface Block {
  readonly rows: Span;
  readonly columns: Span;
  /** The numbers of both parts. */
  readonly of: readonly [number, number];
}

interface GramBlock extends Block {
  readonly sum: RunningSum; // [rows, columns]
}

/** Parts of about equal height. */
function partsOf(size: number): Span[] {
  const few = Math.min(FEW_PARTS, Math.ceil(size / LEAST_ROWS));
  const count = Math.max(few, Math.min(MOST_PARTS, Math.ceil(size / PART_ROWS)));
  const at = (part: number): number => Math.round((part * size) / count);
  return Array.from({ length: count }, (_, i) => [at(i), at(i + 1)]);
}
