// What keeps the C library from giving memory back to the system between two runs of a graph, only to have it mapped and filled
// with zeros again.

import { collectAllGarbage } from "./garbage.ts";

/** Just less than the largest threshold that the C library comes to by itself, which is 32 MiB. */
const BLOCK_BYTES = 32 * 2 ** 20 - 2 ** 14;

let isSteady = false;

/**
 * Frees one large block, once. The C library of Linux asks the system for memory of its own for each block above a threshold, and trims
 * its heap to twice that; the threshold follows the largest block that was freed. What onnxruntime needs between the nodes of a
 * graph then comes from the heap, and stays there. Elsewhere nothing happens: the block is never touched.
 *
 * @see mallopt(3), "dynamic mmap threshold"
 */
export function steadyHeap(): void {
  if (isSteady) return;
  isSteady = true;
  takeBlock();
  collectAllGarbage();
}

/** In a function of its own: what a frame of the stack still holds is no garbage. */
const takeBlock = (): number => new ArrayBuffer(BLOCK_BYTES).byteLength;
