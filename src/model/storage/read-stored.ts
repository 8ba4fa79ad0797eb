// Rows of a model's tensor, gathered from where a file stores them.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { fromPairs } from "./rotary-pairs.ts";
import type { Place } from "./stored-tensors.ts";
import { pairsOf } from "./stored-tensors.ts";

/** Rows [start, end) of a tensor as f32, from all its places in their order. */
export async function readPlaces(
  checkpoint: Checkpoint,
  places: readonly Place[],
  start: number,
  end: number,
): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for (const place of places) {
    const [from, to] = [Math.max(start, place.piece.start), Math.min(end, place.piece.end)];
    if (from < to) parts.push(await readPlace(checkpoint, place, from - place.piece.start, to - place.piece.start));
  }
  return parts.length === 1 ? parts[0]! : joined(parts);
}

/** Rows [start, end) of what lies at one place. */
async function readPlace(checkpoint: Checkpoint, place: Place, start: number, end: number): Promise<Float32Array> {
  const { stored, piece } = place;
  const pairs = pairsOf(stored, piece);
  // reordering moves rows inside their heads, which are read whole
  const first = pairs ? Math.floor(start / pairs.headDim) * pairs.headDim : start;
  const last = pairs ? Math.ceil(end / pairs.headDim) * pairs.headDim : end;
  const rows = await readRows(checkpoint, place, first, last);
  const rowSize = rows.length / (last - first);
  const ordered = pairs
    ? fromPairs(rows, pairs, rowSize).subarray((start - first) * rowSize, (end - first) * rowSize)
    : rows;
  if (stored.offset !== 0) for (let i = 0; i < ordered.length; i++) ordered[i] = ordered[i]! - stored.offset;
  return ordered;
}

async function readRows(
  checkpoint: Checkpoint,
  { stored, piece }: Place,
  start: number,
  end: number,
): Promise<Float32Array> {
  const at = piece.at + start;
  const count = end - start;
  if (!stored.transposed) return checkpoint.readRows(stored.name, at, at + count);
  const whole = await checkpoint.read(stored.name);
  const [inputs, outputs] = stored.shape as [number, number];
  const rows = new Float32Array(count * inputs);
  for (let row = 0; row < count; row++)
    for (let i = 0; i < inputs; i++) rows[row * inputs + i] = whole[i * outputs + at + row]!;
  return rows;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
