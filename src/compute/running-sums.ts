// Sums over rows that grow from run to run of a graph: each is an output that adds to an input, the sum so far, in place. A sum
// declares both in the graph and holds the tensor, so that who builds the graph and who runs it share the sum and no names.
import { mirrorUpper } from "../linalg/packed-symmetric.ts";
import type { Value } from "./graph.ts";
import { add, reshape, sum } from "./operations/elementwise.ts";
import { gemm } from "./operations/linear.ts";
import { slice, transpose } from "./operations/shape.ts";
import { elementCount, type Shape, type Tensor, tensor, zeros } from "./tensor.ts";

/**
 * Bands of a Gram matrix: six leave most of its mirror image out, as far as each has rows enough to keep the processor busy. More
 * are for matrices so large that copying what each is multiplied by takes little beside the product.
 */
const BANDS = 6;
const LEAST_ROWS = 192;
const MOST_ROWS = 512;

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

  /**
   * Σ z zᵀ over vectors z of a size, zero so far. All bands lie in one array: of many small ones that go the C library would keep
   * the memory.
   */
  gram(size: number): GramSum {
    const bands = bandsOf(size);
    const shapeOf = ({ start, end }: Band): Shape => [end - start, size - start];
    const memory = new Float32Array(bands.reduce((total, band) => total + elementCount(shapeOf(band)), 0));
    let taken = 0;
    const made = bands.map((band) => {
      const shape = shapeOf(band);
      const sum = this.#sumIn(tensor(memory.subarray(taken, taken + elementCount(shape)), shape));
      taken += elementCount(shape);
      return { ...band, sum };
    });
    return new GramSum(size, made);
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

  /** Adds a bᵀ of two values [rows, n], [cols, n] to a sum [rows, cols]. */
  addTransposedProduct(a: Value, b: Value): void {
    this.#grow(a, (addTo) => gemm(a, b, { transB: true, addTo }));
  }

  #grow({ graph }: Value, next: (before: Value) => Value): void {
    graph.output(this.outputName, next(graph.input(this.inputName, this.tensor.shape)));
  }
}

/** Σ z zᵀ in bands of rows that start at the diagonal: the rest is their mirror image. */
export class GramSum {
  readonly #size: number;
  readonly #bands: readonly GramBand[];

  constructor(size: number, bands: readonly GramBand[]) {
    this.#size = size;
    this.#bands = bands;
  }

  /** Adds Zᵀ Z of a value Z [n, size], in its graph. Z is transposed first: long rows take the processor less time. */
  add(value: Value): void {
    const size = this.#size;
    const transposed = transpose(value, [1, 0]);
    const rows = (start: number, end: number): Value => slice(transposed, 0, start, end);
    for (const { start, end, sum: band } of this.#bands) band.addTransposedProduct(rows(start, end), rows(start, size));
  }

  /**
   * The whole matrix, a copy. [size, size]
   *
   * @param less what is taken off: a sum of the same size
   */
  whole(less?: GramSum): Tensor<Float32Array> {
    const size = this.#size;
    const whole = zeros([size, size]);
    for (const [i, { start, end, sum }] of this.#bands.entries()) {
      const width = size - start;
      for (let row = start; row < end; row++) {
        const at = (row - start) * width;
        const values = whole.data.subarray(row * size + start, (row + 1) * size);
        values.set(sum.tensor.data.subarray(at, at + width));
        if (less) subtract(values, less.#bands[i]!.sum.tensor.data.subarray(at, at + width));
      }
    }
    mirrorUpper(whole.data, size);
    return whole;
  }
}

function subtract(values: Float32Array, others: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i]! -= others[i]!;
}

interface Band {
  readonly start: number;
  readonly end: number;
}

interface GramBand extends Band {
  readonly sum: RunningSum; // [end - start, size - start]
}

/** Bands of about equal height. */
function bandsOf(size: number): Band[] {
  const count = Math.max(Math.min(BANDS, Math.ceil(size / LEAST_ROWS)), Math.ceil(size / MOST_ROWS));
  const at = (band: number): number => Math.round((band * size) / count);
  return Array.from({ length: count }, (_, i) => ({ start: at(i), end: at(i + 1) }));
}
