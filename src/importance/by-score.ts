// One-shot criteria: a score for each neuron, the lowest go first.
import { CompError } from "../errors.ts";
import type { Removal } from "./criterion.ts";

/**
 * The `count` lowest scores, ascending; equal scores in the order of their indices.
 *
 * @throws {CompError} "numeric" when a score is not a finite number
 */
export function removeLowest(scores: Float64Array, count: number): Removal {
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad >= 0)
    throw new CompError("numeric", `the importance of neuron ${bad} is ${scores[bad]}`, {
      hint: "weights or calibration statistics are not finite: check the checkpoint",
    });
  const order = Int32Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
  const lowest = order.slice(0, count);
  return { order: lowest, costs: Float64Array.from(lowest, (neuron) => scores[neuron]!) };
}
