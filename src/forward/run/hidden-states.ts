// The residual stream of a set of token windows, in batches that fit through one run of a layer.
import { type Tensor, tensor } from "../../compute/tensor.ts";
import { widestMlp } from "../../model/config/layer-sizes.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import type { TokenWindows } from "../../model/spec/token-windows.ts";

/** Tokens that go through a layer at once: enough to keep the processor busy, few enough to keep activations small. */
const MOST_TOKENS = 2048;
const LEAST_TOKENS = 1024;

/** Numbers of all tokens of a batch inside one MLP, 64 MB: wide ones get fewer tokens. */
const MLP_ELEMENTS = 2 ** 24;

/** What of a model decides how its states lie in memory. */
export type StateSizes = Pick<DecoderSpec, "hiddenSize" | "layers">;

export interface HiddenBatch {
  readonly batch: number; // windows
  readonly length: number; // tokens of each
  readonly hidden: Tensor<Float32Array>; // [batch · length, hiddenSize]
}

/** Hidden states of some windows, of which one batch at a time need be in memory. */
export interface HiddenStates {
  readonly batchCount: number;
  /** Shows a batch; it is valid, and must not be changed, until `use` is done. */
  read<T>(index: number, use: (batch: HiddenBatch) => Promise<T>): Promise<T>;
  /** Shows a batch and keeps what `change` writes into it. */
  update<T>(index: number, change: (batch: HiddenBatch) => Promise<T>): Promise<T>;
}

/** Where a batch lies among the windows. */
export interface BatchRange {
  readonly start: number; // first window
  readonly batch: number; // windows
}

/** Splits windows into batches, always the same for a model. */
export function batchesOf(
  { count, length }: Pick<TokenWindows, "count" | "length">,
  { layers }: StateSizes,
): BatchRange[] {
  const tokens = Math.min(MOST_TOKENS, Math.max(LEAST_TOKENS, MLP_ELEMENTS / widestMlp(layers)));
  const size = Math.max(1, Math.floor(tokens / length));
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => ({
    start: i * size,
    batch: Math.min(size, count - i * size),
  }));
}

/** Hidden states that stay in memory, in one array of which the batches are views. */
export class ResidentStates implements HiddenStates {
  /** Of all tokens of all windows. [tokens, hiddenSize] */
  readonly all: Float32Array<ArrayBuffer>;
  readonly batches: readonly HiddenBatch[];
  readonly #windows: Pick<TokenWindows, "count" | "length">;
  readonly #sizes: StateSizes;

  /** @throws {RangeError} when `all` is not [tokens, hiddenSize]: always a programming error */
  constructor(windows: Pick<TokenWindows, "count" | "length">, sizes: StateSizes, all: Float32Array<ArrayBuffer>) {
    const { count, length } = windows;
    const { hiddenSize } = sizes;
    this.all = tensor(all, [count * length, hiddenSize]).data;
    this.#windows = windows;
    this.#sizes = sizes;
    this.batches = batchesOf(windows, sizes).map(({ start, batch }) => {
      const data = all.subarray(start * length * hiddenSize, (start + batch) * length * hiddenSize);
      return { batch, length, hidden: tensor(data, [batch * length, hiddenSize]) };
    });
  }

  get batchCount(): number {
    return this.batches.length;
  }

  read<T>(index: number, use: (batch: HiddenBatch) => Promise<T>): Promise<T> {
    return use(this.batches[index]!);
  }

  update<T>(index: number, change: (batch: HiddenBatch) => Promise<T>): Promise<T> {
    return change(this.batches[index]!);
  }

  /** The same states in memory of their own. */
  copy(): ResidentStates {
    return this.withValues(this.all.slice());
  }

  /** Other values for each token, in the same batches: a gradient, mostly. [tokens, hiddenSize] */
  withValues(all: Float32Array<ArrayBuffer>): ResidentStates {
    return new ResidentStates(this.#windows, this.#sizes, all);
  }
}

/** Some windows of a batch, as a view; `start` and `end` as of `slice`. */
export function sliceOf({ batch, length, hidden }: HiddenBatch, start: number, end: number = batch): HiddenBatch {
  const [rows, hiddenSize] = hidden.shape as [number, number];
  const at = (window: number): number => ((window < 0 ? batch + window : window) * rows * hiddenSize) / batch;
  const data = hidden.data.subarray(at(start), at(end));
  return {
    batch: data.length / (length * hiddenSize),
    length,
    hidden: tensor(data, [data.length / hiddenSize, hiddenSize]),
  };
}
