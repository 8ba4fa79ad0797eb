// The gradient of the loss towards the matrices of every MLP, and of every attention where wanted, found on the way back.
import { type RunningSum, RunningSums } from "../../compute/running-sums.ts";
import type { Tensor } from "../../compute/tensor.ts";
import type { DecoderLayer } from "../../model/read-layer.ts";
import type { LayerIndex } from "../../model/spec/layer-index.ts";
import { type BackwardRequest, stepBackward, sweepBackward } from "./backward-sweep.ts";

const MLP = ["gateProj", "upProj", "downProj"] as const;
const ATTENTION = ["qProj", "qGate", "kProj", "vProj", "oProj"] as const;
type Matrix = (typeof MLP)[number] | (typeof ATTENTION)[number];

export interface WeightGradients {
  readonly index: LayerIndex;
  readonly layer: DecoderLayer;
  /** ∂L/∂W, L the log-loss summed over all tokens; of the shapes of the weights. Nothing of a part that is absent. */
  readonly gradients: Readonly<Partial<Record<Matrix, Tensor<Float32Array>>>>;
}

export interface WeightGradientRequest extends BackwardRequest {
  /** Whether the matrices of attentions are wanted too. */
  readonly attention: boolean;
}

/** Visits the layers from the last to the first; the gradients of one are dropped before the next. */
export async function weightGradients(
  request: WeightGradientRequest,
  visit: (found: WeightGradients) => Promise<void>,
): Promise<void> {
  await sweepBackward(request, async (step) => {
    const { index, layer } = step;
    const sums = new RunningSums();
    const gradients: [Matrix, RunningSum][] = [...MLP, ...(request.attention ? ATTENTION : [])]
      .filter((role) => layer.weights[role] !== undefined)
      .map((role) => [role, sums.sum(layer.weights[role]!.shape)]);
    await stepBackward(request.runner, step, {
      key: ["weight gradients", request.attention],
      sums,
      wanted: (_, weights) =>
        gradients.map(([role, sum]) => ({ towards: weights[role]!, add: (gradient) => sum.add(gradient) })),
    });
    await visit({ index, layer, gradients: Object.fromEntries(gradients.map(([role, { tensor }]) => [role, tensor])) });
  });
}
