// How values of GGUF files differ from those of Hugging Face folders, and the way back.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";

/**
 * Rows of query and key matrices in the order that "rotate half" wants.
 *
 * llama.cpp rotates elements 2i and 2i + 1 of a head together, transformers i and i + headDim / 2:
 * row 2i + t of a stored head is row t · headDim / 2 + i.
 *
 * @param stored whole heads, [heads × headDim, rowSize]
 */
export function unpermuteHeads(stored: Float32Array, headDim: number, rowSize: number): Float32Array {
  const out = new Float32Array(stored.length);
  const rows = stored.length / rowSize;
  for (let row = 0; row < rows; row++) {
    const inHead = row % headDim;
    const target = row - inHead + (inHead % 2) * (headDim / 2) + Math.floor(inHead / 2);
    out.set(stored.subarray(row * rowSize, (row + 1) * rowSize), target * rowSize);
  }
  return out;
}

/** Rows [start, end) of a matrix whose heads are stored interleaved; reads the heads that these rows touch. */
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
  const heads = unpermuteHeads(stored, headDim, rowSize);
  return heads.subarray((start - first) * rowSize, (end - first) * rowSize);
}
