// The order of query and key rows: llama.cpp stores them as its rotary embedding wants them, transformers as "rotate half" does.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import type { GlobalRole, LayerRole } from "../spec/tensor-names.ts";

const ROTATED: ReadonlySet<LayerRole | GlobalRole> = new Set<LayerRole>(["qProj", "qBias", "kProj", "kBias"]);

/** Whether rotary embedding is applied to what a tensor computes, so that llama.cpp may store its rows in its own order. */
export const isRotated = (role: LayerRole | GlobalRole): boolean => ROTATED.has(role);

// llama.cpp rotates elements 2i and 2i + 1 of a head together, transformers i and i + headDim / 2:
// row 2i + t of a stored head is row t · headDim / 2 + i.
const rotateHalfRow = (stored: number, headDim: number): number =>
  (stored % 2) * (headDim / 2) + Math.floor(stored / 2);
const storedRow = (row: number, headDim: number): number => (row % (headDim / 2)) * 2 + Math.floor(row / (headDim / 2));

/** Rows of query and key matrices or biases in llama.cpp's order. @param values whole heads, [heads × headDim, rowSize] */
export const interleaveHeads = (values: Float32Array, headDim: number, rowSize: number): Float32Array =>
  moveRows(values, headDim, rowSize, storedRow);

/** Moves each row to its target within its head. */
function moveRows(
  values: Float32Array,
  headDim: number,
  rowSize: number,
  target: (row: number, headDim: number) => number,
): Float32Array {
  const out = new Float32Array(values.length);
  const rows = values.length / rowSize;
  for (let row = 0; row < rows; row++) {
    const inHead = row % headDim;
    out.set(values.subarray(row * rowSize, (row + 1) * rowSize), (row - inHead + target(inHead, headDim)) * rowSize);
  }
  return out;
}

/**
 * Rows [start, end) of a matrix whose heads are stored in llama.cpp's order, in the order that "rotate half" wants; reads the
 * heads that these rows touch.
 */
export async function readHeadRows(
  checkpoint: Checkpoint,
  name: string,
  headDim: number,
  start: number,
  end: number,
): Promise<Float32Array> {
  const first = Math.floor(start / headDim) * headDim;
  const last = Math.ceil(end / headDim) * headDim;
  const stored = await checkpoint.readRows(name, first, last);
  const rowSize = last === first ? 0 : stored.length / (last - first);
  if (rowSize === 0) return stored;
  const heads = moveRows(stored, headDim, rowSize, rotateHalfRow);
  return heads.subarray((start - first) * rowSize, (end - first) * rowSize);
}
