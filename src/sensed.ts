// What a backward sweep left in the scratch space for a criterion.
import type { Scratch } from "./forward/scratch.ts";
import type { Criterion, NeuronStatistics } from "./importance/criterion.ts";
import { covarianceKey } from "./sense-loss.ts";
import { sensitivityKey } from "./sense-weights.ts";

export type Sensed = Pick<NeuronStatistics, "lossCovariance" | "weightSensitivity">;

/** What is needed of a layer, by a criterion or by a recovery. */
export async function readSensed(
  scratch: Scratch,
  index: number,
  needs: Pick<Criterion, "needsLossCovariance" | "needsWeightSensitivity">,
): Promise<Sensed> {
  return {
    ...(needs.needsLossCovariance && { lossCovariance: await scratch.read(covarianceKey(index)) }),
    ...(needs.needsWeightSensitivity && { weightSensitivity: await scratch.read(sensitivityKey(index)) }),
  };
}
