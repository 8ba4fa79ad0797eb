// Hidden states that wait in the scratch space: one batch at a time is in memory.
import { tensor } from "../../compute/tensor.ts";
import type { TokenWindows } from "../../model/spec/token-windows.ts";
import { batchesOf, type HiddenBatch, type HiddenStates, type StateSizes } from "./hidden-states.ts";
import type { StoredArray } from "./scratch.ts";

/** Each batch is read when it is asked for, and written back when it was changed; all pass through the same memory. */
export class SpilledStates implements HiddenStates {
  readonly #batches: readonly { readonly batch: number; readonly stored: StoredArray }[];
  readonly #length: number;
  readonly #hiddenSize: number;
  readonly #memory: Float32Array;

  /** @param stored one array for each of `batchesOf(windows, sizes)`, [batch · length, hiddenSize] */
  constructor(windows: Pick<TokenWindows, "count" | "length">, sizes: StateSizes, stored: readonly StoredArray[]) {
    const { hiddenSize } = sizes;
    this.#batches = batchesOf(windows, sizes).map(({ batch }, i) => ({ batch, stored: stored[i]! }));
    this.#length = windows.length;
    this.#hiddenSize = hiddenSize;
    const largest = Math.max(...this.#batches.map(({ batch }) => batch));
    this.#memory = new Float32Array(largest * windows.length * hiddenSize);
  }

  get batchCount(): number {
    return this.#batches.length;
  }

  async read<T>(index: number, use: (batch: HiddenBatch) => Promise<T>): Promise<T> {
    return use(await this.#load(index));
  }

  async update<T>(index: number, change: (batch: HiddenBatch) => Promise<T>): Promise<T> {
    const batch = await this.#load(index);
    const result = await change(batch);
    await this.#batches[index]!.stored.write(batch.hidden.data);
    return result;
  }

  async #load(index: number): Promise<HiddenBatch> {
    const { batch, stored } = this.#batches[index]!;
    const tokens = batch * this.#length;
    const data = this.#memory.subarray(0, tokens * this.#hiddenSize);
    await stored.readInto(data);
    return { batch, length: this.#length, hidden: tensor(data, [tokens, this.#hiddenSize]) };
  }
}
