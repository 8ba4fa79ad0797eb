// Token windows → hidden states before the first layer. The embedding matrix passes through memory in tiles.
import { CompError } from "../../errors.ts";
import type { Model } from "../../model/model.ts";
import { embeddingTensor, positionTensor } from "../../model/spec/tensor-names.ts";
import { type TokenWindows, windowsBetween } from "../../model/spec/token-windows.ts";
import { batchesOf, type HiddenStates, ResidentStates } from "./hidden-states.ts";
import type { Scratch, StoredArray } from "./scratch.ts";
import { SpilledStates } from "./spilled-states.ts";

/** Bytes of embedding rows read at once. */
const TILE_BYTES = 16 * 2 ** 20;

/** Rows that are read though nobody asked for them, rather than starting another read. */
const MAX_GAP = 256;

/**
 * Embeddings of all tokens, scaled as the family does, with the learned vectors of their positions where it has them.
 *
 * @param start position of the first token of each window
 */
export async function embed(model: Model, windows: TokenWindows, start = 0): Promise<ResidentStates> {
  const positions = windows.ids.map((_, i) => start + (i % windows.length));
  return new ResidentStates(windows, model.spec, await embedAt(model, windows.ids, positions));
}

/** The same for tokens at any positions. [tokens, hiddenSize] */
export async function embedAt(
  model: Model,
  ids: Int32Array,
  positions: Int32Array,
): Promise<Float32Array<ArrayBuffer>> {
  const { embeddingScale } = model.spec;
  const all = await embeddingRows(model, ids);
  if (embeddingScale !== 1) for (let i = 0; i < all.length; i++) all[i]! *= embeddingScale;
  await addPositions(model, positions, all);
  return all;
}

/** Adds to the state of each token the learned vector of its position. */
async function addPositions(model: Model, positions: Int32Array, all: Float32Array): Promise<void> {
  const { learnedPositions, maxPositionEmbeddings, hiddenSize } = model.spec;
  const matrix = positionTensor(model.spec);
  if (learnedPositions === undefined || matrix === undefined) return;
  const [first, end] = positions.reduce(
    ([low, high], p) => [Math.min(low, p), Math.max(high, p + 1)],
    [positions[0]!, 0],
  );
  if (end > maxPositionEmbeddings)
    throw new CompError("option", `position ${end} is beyond the ${maxPositionEmbeddings} that the model has`, {
      hint: "use shorter windows: --context",
    });
  const { offset } = learnedPositions;
  const vectors = await model.readRows(matrix.name, first + offset, end + offset);
  positions.forEach((position, token) => {
    const [from, to] = [(position - first) * hiddenSize, token * hiddenSize];
    for (let i = 0; i < hiddenSize; i++) all[to + i]! += vectors[from + i]!;
  });
}

/** Embeddings of all tokens, as `embed` gives them; in memory when they take no more than `residentBytes`, else in the scratch space. */
export async function embedOrSpill(
  model: Model,
  windows: TokenWindows,
  scratch: Scratch,
  residentBytes: number,
): Promise<HiddenStates> {
  if (4 * windows.ids.length * model.spec.hiddenSize <= residentBytes) return embed(model, windows);
  const stored: StoredArray[] = [];
  for (const { start, batch } of batchesOf(windows, model.spec)) {
    const { all } = await embed(model, windowsBetween(windows, start, start + batch));
    stored.push(await scratch.put(all));
  }
  return new SpilledStates(windows, model.spec, stored);
}

/** Rows of the embedding matrix, one per token. [tokens, hiddenSize] */
async function embeddingRows(model: Model, ids: Int32Array): Promise<Float32Array<ArrayBuffer>> {
  const { hiddenSize } = model.spec;
  const { name } = embeddingTensor(model.spec);
  const result = new Float32Array(ids.length * hiddenSize);
  for (const { start, end } of runsOf(ids, Math.max(1, Math.floor(TILE_BYTES / (4 * hiddenSize))))) {
    const rows = await model.readRows(name, start, end);
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
