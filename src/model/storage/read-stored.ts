// Rows of a model's tensor, gathered from where a file stores them.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { matrixOf, rowsOf } from "./interwoven.ts";
import { fromPairs, type Rows } from "./rotary-pairs.ts";
import { isInterwoven, type Place, pairsOf } from "./stored-tensors.ts";

/** Rows [start, end) of a tensor as f32, from all its places in their order. */
export async function readPlaces(
  checkpoint: Checkpoint,
  places: readonly Place[],
  start: number,
  end: number,
): Promise<Float32Array> {
  const parts = await fromEach(places, start, end, async (place, from, to) => {
    const rows = await rowsInOrder(place, from, to, (first, last) => readRows(checkpoint, place, first, last));
    const { offset } = place.stored;
    if (offset !== 0) for (let i = 0; i < rows.length; i++) rows[i] = rows[i]! - offset;
    return rows;
  });
  return parts.length === 1 ? parts[0]! : joined(Float32Array, parts);
}

/** The same rows as the bytes that the file has of them; it must not be interwoven. */
export async function readPlacesAsStored(
  checkpoint: Checkpoint,
  places: readonly Place[],
  start: number,
  end: number,
): Promise<Uint8Array> {
  const parts = await fromEach(places, start, end, (place, from, to) =>
    rowsInOrder(place, from, to, (first, last) =>
      checkpoint.readRowBytes(place.stored.name, place.piece.at + first, place.piece.at + last),
    ),
  );
  return parts.length === 1 ? parts[0]! : joined(Uint8Array, parts);
}

/** What `read` has of the rows [start, end) at each place; its rows count from the place's first. */
async function fromEach<R>(
  places: readonly Place[],
  start: number,
  end: number,
  read: (place: Place, start: number, end: number) => Promise<R>,
): Promise<R[]> {
  const parts: R[] = [];
  for (const place of places) {
    const { piece } = place;
    const [from, to] = [Math.max(start, piece.start), Math.min(end, piece.end)];
    if (from < to) parts.push(await read(place, from - piece.start, to - piece.start));
  }
  return parts;
}

/** Rows [start, end) of what lies at one place, in the order of the graphs. */
async function rowsInOrder<R extends Rows>(
  { stored, piece }: Place,
  start: number,
  end: number,
  read: (start: number, end: number) => Promise<R>,
): Promise<R> {
  const pairs = pairsOf(stored, piece);
  if (pairs === undefined) return read(start, end);
  // reordering moves rows inside their heads, which are read whole
  const first = Math.floor(start / pairs.headDim) * pairs.headDim;
  const last = Math.ceil(end / pairs.headDim) * pairs.headDim;
  const rows = await read(first, last);
  const rowSize = rows.length / (last - first);
  return fromPairs(rows, pairs, rowSize).subarray((start - first) * rowSize, (end - first) * rowSize) as R;
}

async function readRows(
  checkpoint: Checkpoint,
  { stored, piece }: Place,
  start: number,
  end: number,
): Promise<Float32Array> {
  if (!isInterwoven(stored)) return checkpoint.readRows(stored.name, piece.at + start, piece.at + end);
  const matrix = matrixOf(stored, piece);
  const values = await checkpoint.readRows(stored.name, matrix.fileStart, matrix.fileEnd);
  return rowsOf(matrix, piece, values, start, end);
}

function joined<R extends Rows>(type: new (length: number) => R, parts: readonly R[]): R {
  const all = new type(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
