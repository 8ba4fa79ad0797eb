// Optimal brain surgeon in the metric of the loss.
import type { Criterion } from "./criterion.ts";
import { obs } from "./obs.ts";

/** The score of `obs` with the covariance of the loss's gradient as metric, which a backward sweep has to bring. */
export const loss: Criterion = {
  ...obs,
  name: "loss",
  description: "the same, weighted by what the loss feels at the layer's output (backward sweep)",
  needsLossCovariance: true,
};
