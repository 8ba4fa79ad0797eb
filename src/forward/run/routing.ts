// Which experts each token of a mixture goes to.
import type { DecoderSpec, Routing } from "../../model/spec/decoder-spec.ts";
import type { Mixture } from "../../model/spec/parts.ts";

/**
 * 1 where a token goes to an expert, else 0. f32 [tokens, experts]
 *
 * @param logits     of the router, f32 [tokens, experts]
 * @param correction added to the scores for the choice, f32 [experts], where the family has one
 */
export function chooseExperts(
  { routing }: Pick<DecoderSpec, "routing">,
  { numExperts, expertsPerToken }: Pick<Mixture, "numExperts" | "expertsPerToken">,
  logits: Float32Array,
  correction: Float32Array | undefined,
): Float32Array {
  const chosen = new Float32Array(logits.length);
  const scores = new Float64Array(numExperts);
  for (let start = 0; start < logits.length; start += numExperts) {
    for (let e = 0; e < numExperts; e++) scores[e] = scoreOf(routing!, logits[start + e]!) + (correction?.[e] ?? 0);
    if (routing!.groups) dropGroups(routing!.groups, scores);
    for (const e of highest(scores, Math.min(expertsPerToken, numExperts))) chosen[start + e] = 1;
  }
  return chosen;
}

/**
 * All experts in the order in which each token would choose them; of equals the first. [tokens, experts]
 *
 * @param logits     as of `chooseExperts`
 * @param correction likewise
 */
export function expertOrder(
  routing: Routing,
  numExperts: number,
  logits: Float32Array,
  correction: Float32Array | undefined,
): Uint16Array {
  const order = new Uint16Array(logits.length);
  const scores = new Float64Array(numExperts);
  for (let start = 0; start < logits.length; start += numExperts) {
    for (let e = 0; e < numExperts; e++) scores[e] = scoreOf(routing, logits[start + e]!) + (correction?.[e] ?? 0);
    const row = order.subarray(start, start + numExperts);
    for (let e = 0; e < numExperts; e++) row[e] = e;
    row.sort((a, b) => scores[b]! - scores[a]! || a - b);
  }
  return order;
}

/**
 * What chosen experts count for a token once others are gone: the router's rule over those that are left.
 *
 * @param logits of the token, f32 [experts]
 * @param chosen experts, the first one with the highest logit
 * @param gone   1 where an expert is gone
 * @param weights gets the result, f64 [chosen.length]
 */
export function weighChosen(
  { scores, renormalised, scale }: Routing,
  logits: Float32Array,
  chosen: Int32Array,
  gone: Uint8Array,
  weights: Float64Array,
): void {
  const highest = logits[chosen[0]!]!;
  const shareOf = (logit: number): number =>
    scores === "softmax" ? Math.exp(logit - highest) : 1 / (1 + Math.exp(-logit));
  let sum = 0;
  for (let i = 0; i < chosen.length; i++) {
    weights[i] = shareOf(logits[chosen[i]!]!);
    sum += weights[i]!;
  }
  if (renormalised) sum += renormalised.plus;
  else if (scores === "sigmoid") sum = 1;
  else {
    sum = 0;
    for (let e = 0; e < logits.length; e++) if (gone[e] === 0) sum += shareOf(logits[e]!);
  }
  for (let i = 0; i < chosen.length; i++) weights[i]! *= scale / sum;
}

/** What the order of experts follows: that of a softmax is the order of its logits. */
const scoreOf = ({ scores }: Routing, logit: number): number =>
  scores === "softmax" ? logit : 1 / (1 + Math.exp(-logit));

/** Leaves the groups with the largest sums of their two best scores. */
function dropGroups({ count, chosen }: NonNullable<Routing["groups"]>, scores: Float64Array): void {
  const size = scores.length / count;
  const sums = Float64Array.from({ length: count }, (_, group) => {
    const [first, second] = [...scores.subarray(group * size, (group + 1) * size)].sort((a, b) => b - a);
    return first! + (second ?? 0);
  });
  const kept = new Set(highest(sums, chosen));
  for (let group = 0; group < count; group++)
    if (!kept.has(group)) scores.fill(Number.NEGATIVE_INFINITY, group * size, (group + 1) * size);
}

/** The indices of the `count` largest values; of equal ones the first. */
export function highest(values: Float64Array, count: number): number[] {
  const best: number[] = [];
  for (let index = 0; index < values.length; index++) {
    if (best.length === count && !(values[index]! > values[best[count - 1]!]!)) continue;
    let at = best.length;
    while (at > 0 && values[index]! > values[best[at - 1]!]!) at--;
    best.splice(at, 0, index);
    if (best.length > count) best.pop();
  }
  return best;
}
