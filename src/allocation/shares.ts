// How a cut of a mixture is shared: layers and heads by number, of what these leave to give a share by whole experts; the neurons
// of the experts that stay give the rest. Pure.
import type { Method } from "../method/method.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { ROUNDING, reachedSparsity } from "./equal-widths.ts";
import { mostExperts } from "./experts.ts";
import { headsOfEach } from "./heads.ts";
import { anyLayers, planLayers, whyOutOfReach } from "./layer-count.ts";
import { uncutNeurons } from "./sizes.ts";

export interface CutShare {
  /** Whole layers that go, where their number is open. */
  readonly layers: number;
  /** Query heads of each group that go, or groups where each has but one head; likewise. */
  readonly heads: number;
  /** What whole experts give of what layers and heads leave to be given, 0 to 1: so much at least, as far as they can. */
  readonly experts: number;
}

/** A method that leaves the number of experts open with all numbers settled; undefined where the sparsity is then out of reach. */
export function settleShare(spec: DecoderSpec, method: Method, share: CutShare, sparsity: number): Method | undefined {
  const isWithin = (value: number, most: number): boolean => value >= 0 && value <= most;
  if (!isWithin(share.experts, 1) || !isWithin(share.layers, spec.layers.length - 1)) return undefined;
  const heads = method.heads.kind === "search" ? headsOfEach(spec, share.heads) : undefined;
  if (method.heads.kind === "search" && heads === undefined) return undefined;
  const around: Method = {
    ...method,
    ...(method.layers.kind === "search" && { layers: { kind: "count", count: share.layers } }),
    ...(heads && { heads: { kind: "count", ...heads } }),
  };
  const settled = withExpertCount(around, expertsOf(spec, around, share.experts, sparsity));
  return whyOutOfReach(spec, settled, sparsity) === undefined ? settled : undefined;
}

/**
 * Ways to share from which others can be looked for: the fewest layers that have to go beside all experts that can, and each of
 * some shares of experts; and the fewest layers that have to go where none do, which is always in reach.
 */
export function firstShares(
  spec: DecoderSpec,
  method: Method,
  sparsity: number,
  shares: readonly number[],
): CutShare[] {
  const fewest = (experts: number): number => planLayers(spec, withExpertCount(method, experts), sparsity).count;
  const beside = fewest(mostExperts(spec));
  return [
    ...shares.map((experts) => ({ layers: beside, heads: 0, experts })),
    { layers: fewest(0), heads: 0, experts: 0 },
  ];
}

const withExpertCount = (method: Method, count: number): Method => ({ ...method, experts: { kind: "count", count } });

/** The fewest experts that give a share of what is still to go. */
function expertsOf(spec: DecoderSpec, method: Method, share: number, sparsity: number): number {
  const gone = Array.from({ length: mostExperts(spec) + 1 }, (_, count) =>
    goneBesideNeurons(spec, withExpertCount(method, count), sparsity),
  );
  const wanted = gone[0]! + share * Math.max(0, sparsity - gone[0]!);
  const count = gone.findIndex((fraction) => fraction >= wanted - ROUNDING);
  return count < 0 ? gone.length - 1 : count;
}

function goneBesideNeurons(spec: DecoderSpec, method: Method, sparsity: number): number {
  const cut = uncutNeurons(spec, method, sparsity);
  const kept = anyLayers(spec, planLayers(spec, method, sparsity));
  return reachedSparsity(spec, { ...cut, layers: kept.map((index) => cut.layers[index]!) }, method.sparsityOf);
}
