// The residual stream of a set of token windows, in batches that fit through one run of a layer.
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import type { TokenWindows } from "../../model/spec/token-windows.ts";

/** Tokens that go through a layer at once: enough to keep the processor busy, few enough to keep activations small. */
const TOKENS_PER_BATCH = 2048;

/** Bytes of embedding rows read at once. */
const TILE_BYTES = 16 * 2 ** 20;

/** Rows that are read though nobody asked for them, rather than starting another read. */
const MAX_GAP = 256;

export interface HiddenBatch {
  readonly batch: number; // windows
  readonly length: number; // tokens of each
  readonly hidden: Tensor<Float32Array>; // [batch · length, hiddenSize], rewritten in place layer by layer
}

/** Batches one after the other; what is done to a batch before the next is asked for stays done. */
export type HiddenStates = Iterable<HiddenBatch> | AsyncIterable<HiddenBatch>;

/** Splits windows into batches of about TOKENS_PER_BATCH tokens. */
export function batchesOf({ count, length }: TokenWindows): { start: number; batch: number }[] {
  const size = Math.max(1, Math.floor(TOKENS_PER_BATCH / length));
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => ({
    start: i * size,
    batch: Math.min(size, count - i * size),
  }));
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

/** Embeddings of all tokens, scaled as the family does. The embedding matrix passes through memory in tiles. */
export async function embed(model: Model, windows: TokenWindows): Promise<HiddenBatch[]> {
  const { hiddenSize, embeddingScale } = model.spec;
  const all = await embeddingRows(model, windows.ids);
  if (embeddingScale !== 1) for (let i = 0; i < all.length; i++) all[i]! *= embeddingScale;
  const perWindow = windows.length * hiddenSize;
  return batchesOf(windows).map(({ start, batch }) => ({
    batch,
    length: windows.length,
    hidden: tensor(all.subarray(start * perWindow, (start + batch) * perWindow), [batch * windows.length, hiddenSize]),
  }));
}

/** Hidden states of all batches in one array. Batches made by `embed` are parts of one already. */
export function joined(states: readonly HiddenBatch[]): Float32Array {
  const first = states[0]!.hidden.data;
  const size = states.reduce((total, { hidden }) => total + hidden.data.length, 0);
  return new Float32Array(first.buffer, first.byteOffset, size);
}

/** Rows of the embedding matrix, one per token. [tokens, hiddenSize] */
async function embeddingRows(model: Model, ids: Int32Array): Promise<Float32Array> {
  const { hiddenSize } = model.spec;
  const result = new Float32Array(ids.length * hiddenSize);
  for (const { start, end } of runsOf(ids, Math.max(1, Math.floor(TILE_BYTES / (4 * hiddenSize))))) {
    const rows = await model.readRows("model.embed_tokens.weight", start, end);
    ids.forEach((id, i) => {
      if (id < start || id >= end) return;
      result.set(rows.subarray((id - start) * hiddenSize, (id - start + 1) * hiddenSize), i * hiddenSize);
    });
  }
  return result;
}

/** Ranges of rows that hold all ids, none longer than `most`, none bridging a wide gap. */
function runsOf(ids: Int32Array, most: number): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  for (const id of ids.toSorted()) {
    const last = runs.at(-1);
    if (last && id < last.end + MAX_GAP && id < last.start + most) last.end = Math.max(last.end, id + 1);
    else runs.push({ start: id, end: id + 1 });
  }
  return runs;
}
