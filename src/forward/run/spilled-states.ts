// Hidden states that wait in the scratch space: one batch at a time is in memory.
import { tensor } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import type { TokenWindows } from "../../model/spec/token-windows.ts";
import { batchesOf, embed, type HiddenBatch, type HiddenStates } from "./hidden-states.ts";
import type { Scratch } from "./scratch.ts";

/** Hidden states of more bytes than this are spilled. */
export const RESIDENT_BYTES: number = 192 * 2 ** 20;

/** Embeddings of all tokens, as `embed` gives them; in memory when they are few, else in the scratch space under `name`. */
export async function embedOrSpill(
  model: Model,
  windows: TokenWindows,
  scratch: Scratch,
  name: string,
  residentBytes: number = RESIDENT_BYTES,
): Promise<HiddenStates> {
  if (4 * windows.ids.length * model.spec.hiddenSize <= residentBytes) return embed(model, windows);
  const keys: string[] = [];
  for (const { start, batch } of batchesOf(windows)) {
    const ids = windows.ids.subarray(start * windows.length, (start + batch) * windows.length);
    const [state] = await embed(model, { ids, count: batch, length: windows.length });
    keys.push(`${name} ${keys.length}`);
    await scratch.put(keys.at(-1)!, state!.hidden.data);
  }
  return new SpilledStates(windows, model.spec.hiddenSize, scratch, keys);
}

/** Each batch is read when it is asked for and written back when the next one is; all pass through the same memory. */
class SpilledStates implements AsyncIterable<HiddenBatch> {
  readonly #windows: TokenWindows;
  readonly #hiddenSize: number;
  readonly #scratch: Scratch;
  readonly #keys: readonly string[];

  constructor(windows: TokenWindows, hiddenSize: number, scratch: Scratch, keys: readonly string[]) {
    this.#windows = windows;
    this.#hiddenSize = hiddenSize;
    this.#scratch = scratch;
    this.#keys = keys;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<HiddenBatch> {
    const { length } = this.#windows;
    const batches = batchesOf(this.#windows);
    const largest = Math.max(...batches.map(({ batch }) => batch));
    const memory = new Float32Array(largest * length * this.#hiddenSize);
    for (const [i, { batch }] of batches.entries()) {
      const data = memory.subarray(0, batch * length * this.#hiddenSize);
      await this.#scratch.readInto(this.#keys[i]!, data);
      yield { batch, length, hidden: tensor(data, [batch * length, this.#hiddenSize]) };
      await this.#scratch.put(this.#keys[i]!, data);
    }
  }
}
