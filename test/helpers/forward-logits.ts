// Logits of our own forward pass.
import { CachedDecoder } from "../../src/forward/decode/cached-decoder.ts";
import { ResidentWeights } from "../../src/forward/decode/resident-weights.ts";
import type { Model } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/backend.ts";

/** Logits after each token, [tokens][vocabSize]. */
export async function forwardLogits(model: Model, tokens: readonly number[]): Promise<Float32Array[]> {
  const decoder = new CachedDecoder(nodeBackend(1), new ResidentWeights(model, 2 ** 31), 1);
  try {
    const logits: Float32Array[] = [];
    for (const id of tokens) logits.push(await decoder.step(Int32Array.of(id), 1));
    return logits;
  } finally {
    await decoder.release();
  }
}
