// A short causal convolution over each channel alone, as LFM2 and Qwen 3.5 have it.
import type { Value } from "../../compute/graph.ts";
import { add, mul, reshape } from "../../compute/operations/elementwise.ts";
import { concat, pad, slice } from "../../compute/operations/shape.ts";
import type { LayerContext, LayerValues, MixerState } from "./layer-values.ts";

/**
 * y[t] = Σ_k w[k] · u[t − K + 1 + k] of each channel, plus a bias where there is one.
 *
 * @param u    [batch · length, channels]
 * @param past the last K − 1 tokens of u before these [batch, K − 1, channels]; none: zeros
 */
export function causalConvolution(
  { batch, length }: LayerContext,
  kernelSize: number,
  u: Value,
  { convKernel, convKernelBias }: LayerValues,
  past?: MixerState,
): { readonly values: Value; readonly state: MixerState } {
  const channels = u.shape[1]!;
  const own = reshape(u, [batch, length, channels]);
  const before = kernelSize - 1;
  const padded = past ? concat([past.convolved!, own], 1) : pad(own, 1, before, 0);
  const taps = Array.from({ length: kernelSize }, (_, k) => {
    const weight = reshape(slice(convKernel!, 2, k, k + 1), [channels]);
    return mul(slice(padded, 1, k, k + length), weight);
  });
  const sum = taps.reduce((total, tap) => add(total, tap));
  const values = reshape(convKernelBias ? add(sum, convKernelBias) : sum, [batch * length, channels]);
  return { values, state: { convolved: slice(padded, 1, length, length + before) } };
}
