// What a backward sweep left in the scratch space for a criterion.
import type { Scratch } from "./forward/scratch.ts";
import type { Criterion, NeuronStatistics } from "./importance/criterion.ts";
import { covarianceKey } from "./sense-loss.ts";
import { sensitivityKey } from "./sense-weights.ts";

export type Sensed = Pick<NeuronStatistics, "lossCovariance" | "weightSensitivity">;

/** What the criterion needs of a layer; it can be taken once. */
export async function takeSensed(scratch: Scratch, index: number, criterion: Criterion): Promise<Sensed> {
  return {
    ...(criterion.needsLossCovariance && { lossCovariance: await scratch.take(covarianceKey(index)) }),
    ...(criterion.needsWeightSensitivity && { weightSensitivity: await scratch.take(sensitivityKey(index)) }),
  };
}
