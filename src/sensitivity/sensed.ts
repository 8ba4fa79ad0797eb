// What a backward sweep left in the scratch space for a criterion.
import type { Scratch } from "../forward/run/scratch.ts";
import type { Criterion, NeuronStatistics } from "../importance/criterion.ts";
import type { Half } from "../model/spec/tensor-names.ts";
import { headSensitivityKey, sensitivityKey } from "./first-order.ts";
import { covarianceKey, headCovarianceKey } from "./fisher-factors.ts";

export type Sensed = Pick<NeuronStatistics, "lossCovariance" | "weightSensitivity">;

/** What a criterion or a recovery wants to know. */
export type SensedNeeds = Pick<Criterion, "needsLossCovariance" | "needsWeightSensitivity">;

/** What is needed of a half of a layer. */
export async function readSensed(scratch: Scratch, index: number, half: Half, needs: SensedNeeds): Promise<Sensed> {
  const [covariance, sensitivity] =
    half === "mlp" ? [covarianceKey, sensitivityKey] : [headCovarianceKey, headSensitivityKey];
  return {
    ...(needs.needsLossCovariance && { lossCovariance: await scratch.read(covariance(index)) }),
    ...(needs.needsWeightSensitivity && { weightSensitivity: await scratch.read(sensitivity(index)) }),
  };
}
