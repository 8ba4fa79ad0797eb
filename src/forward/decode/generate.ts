// Text generation: prompt in, tokens out, one at a time.
import type { Backend } from "../../compute/backend.ts";
import type { Model } from "../../model/model.ts";
import { CachedDecoder } from "./cached-decoder.ts";
import { ResidentWeights } from "./resident-weights.ts";
import { sampleToken } from "./sample.ts";

export interface DecodeRequest {
  /** Token ids that begin the text, at least one. */
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  /** 0 = greedy. */
  readonly temperature: number;
  /** Ids that end the text; they are not returned. */
  readonly stopTokens: readonly number[];
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Weights stay in memory when all of them take no more than this. */
  readonly budgetBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Calls `onToken` with each token id as it is decided, and the logits [vocabSize] that it was decided by, valid until the next. */
export async function generateTokens(
  backend: Backend,
  model: Model,
  request: DecodeRequest,
  onToken: (id: number, logits: Float32Array) => void,
): Promise<void> {
  const decoder = new CachedDecoder(backend, new ResidentWeights(model, request.budgetBytes), 1);
  try {
    let next = Int32Array.from(request.prompt);
    for (let i = 0; i < request.maxTokens; i++) {
      request.signal?.throwIfAborted();
      const logits = await decoder.step(next, next.length);
      const token = sampleToken(logits, request.temperature, request.random);
      if (request.stopTokens.includes(token)) return;
      onToken(token, logits);
      next = Int32Array.of(token);
    }
  } finally {
    await decoder.release();
  }
}
