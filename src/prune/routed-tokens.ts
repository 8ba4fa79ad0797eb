// Calibration tokens on their way to the experts of a mixture, and what an expert that few of them reach is given besides.
import type { ExpertTokens } from "../forward/run/expert-statistics.ts";
import { type RoutedTokens, routeBatch, type TokenRoutes, tokensOf } from "../forward/run/mixture.ts";
import { diagonal } from "../linalg/spd.ts";
import type { DecoderLayer } from "../model/read-layer.ts";
import type { SublayerRequest } from "./sublayer.ts";

/** Tokens of independent neurons that count beside those that an expert has seen: one that saw few is hardly refitted. */
const PRIOR_TOKENS = 16;

/** All calibration tokens, routed. */
export async function routeAll(
  { runner, states }: Pick<SublayerRequest, "runner" | "states">,
  layer: DecoderLayer,
): Promise<RoutedTokens[]> {
  const routed: RoutedTokens[] = [];
  for (let i = 0; i < states.batchCount; i++)
    routed.push(await states.read(i, ({ hidden }) => routeBatch(runner, layer, hidden)));
  return routed;
}

/** The same without what is written so far: the routed experts alone are looked at. */
export async function routesOf(
  { runner, states }: Pick<SublayerRequest, "runner" | "states">,
  layer: DecoderLayer,
): Promise<TokenRoutes[]> {
  const routes: TokenRoutes[] = [];
  for (let i = 0; i < states.batchCount; i++) {
    const { written: _, ...routed } = await states.read(i, ({ hidden }) => routeBatch(runner, layer, hidden));
    routes.push(routed);
  }
  return routes;
}

/** Those of a batch that go to an expert. */
export function tokensFor(expert: number, experts: number, batch: TokenRoutes): ExpertTokens {
  const tokens = tokensOf(expert, batch);
  const weights = Float32Array.from(tokens, (token) => batch.weights[token * experts + expert]!);
  return { normed: batch.normed, tokens, weights };
}

/** G and what PRIOR_TOKENS tokens of independent neurons would add to it, each as strong as those that were seen. */
export function withPrior(gram: Float32Array, size: number, tokenCount: number): Float32Array {
  const energy = diagonal(gram, size).reduce((sum, value) => sum + value, 0) / size;
  const own = energy > 0 ? (PRIOR_TOKENS * energy) / tokenCount : PRIOR_TOKENS;
  const sum = gram.slice();
  for (let i = 0; i < size; i++) sum[i * size + i]! += own;
  return sum;
}
