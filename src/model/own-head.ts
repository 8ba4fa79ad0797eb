// Whether the head is the token embedding, where config.json says so and the files hold both, or only one of the two.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { elementsOf } from "../checkpoint/checkpoint.ts";

/** Elements of either matrix that are compared at a time. */
const TILE_ELEMENTS = 2 ** 21;

/**
 * Whether matrices `head` and `embedding` are both stored and differ. transformers then keeps both, whatever
 * `tie_word_embeddings` says, and ties them only when they are equal (`tie_weights` of transformers 5).
 */
export async function hasOwnHead(checkpoint: Checkpoint, embedding: string, head: string): Promise<boolean> {
  const shapes = [embedding, head].map((name) => checkpoint.tensors.get(name)?.shape);
  if (shapes.includes(undefined)) return false;
  const [rows, ...rest] = shapes[0]!;
  if (rows === undefined || shapes[1]!.join() !== shapes[0]!.join()) return true;
  const step = Math.max(1, Math.floor(TILE_ELEMENTS / Math.max(1, elementsOf(rest))));
  for (let start = 0; start < rows; start += step) {
    const end = Math.min(rows, start + step);
    const [own, other] = [
      await checkpoint.readRows(head, start, end),
      await checkpoint.readRows(embedding, start, end),
    ];
    if (!own.every((value, i) => value === other[i])) return true;
  }
  return false;
}
