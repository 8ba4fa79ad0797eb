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
