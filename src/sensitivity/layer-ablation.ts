// What each layer costs the loss as a whole: a rough look at all, a closer one at those that may go.
import type { StageEvent } from "../events/common.ts";
import { measure, withoutPart } from "./cost-curves.ts";
import type { LossRequest } from "./fisher-factors.ts";

const ROUGH_TOKENS = 256;
const CLOSE_TOKENS = 1024;

/** Layers that are looked at closely, as a share of all and at least. */
const CLOSE_SHARE = 1 / 4;
const LEAST_CLOSE = 8;

/** As many tokens for each layer take about as long. */
export const LAYER_FORK_TOKENS: number = ROUGH_TOKENS + CLOSE_SHARE * CLOSE_TOKENS;

const withoutLayer = withoutPart({ intermediateSize: 0, numAttentionHeads: 0, numKeyValueHeads: 0 });

/**
 * The KL divergence without each layer, nats per token. Only the cheapest are measured on enough text to be told apart; the
 * others count as no cheaper than any of these.
 *
 * @param close how many are
 */
export async function* measureLayers(
  request: LossRequest,
  close: number = Math.max(LEAST_CLOSE, Math.ceil(CLOSE_SHARE * request.model.spec.layers.length)),
): AsyncGenerator<StageEvent, number[]> {
  const rough = yield* measure(request, ROUGH_TOKENS, withoutLayer);
  const order = [...rough.keys()].sort((a, b) => rough[a]! - rough[b]!);
  const candidates = new Set(order.slice(0, close));
  const costs = yield* measure(request, CLOSE_TOKENS, async (streamed) =>
    candidates.has(streamed.index) ? withoutLayer(streamed) : undefined,
  );
  const most = Math.max(...costs);
  return costs.map((cost, index) => (candidates.has(index) ? cost : Math.max(rough[index]!, most)));
}
