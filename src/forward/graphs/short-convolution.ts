// The gated short convolution that LFM2 mixes tokens with.
import type { Value } from "../../compute/graph.ts";
import { mul } from "../../compute/operations/elementwise.ts";
import { slice } from "../../compute/operations/shape.ts";
import type { ShortConvolution } from "../../model/spec/parts.ts";
import { causalConvolution } from "./causal-convolution.ts";
import { type LayerContext, type LayerValues, type Mixed, type MixerState, project } from "./layer-values.ts";

/**
 * C ⊙ conv(B ⊙ u) of [B, C, u] = in_proj(x).
 *
 * @param x normed states [batch · length, hiddenSize]
 */
export function convolve(
  context: LayerContext,
  part: ShortConvolution,
  x: Value,
  weights: LayerValues,
  past?: MixerState,
): Mixed {
  const { hiddenSize } = context.spec;
  const all = project(x, weights.convIn!, weights.convInBias);
  const third = (i: number): Value => slice(all, 1, i * hiddenSize, (i + 1) * hiddenSize);
  const { values, state } = causalConvolution(context, part.kernelSize, mul(third(0), third(2)), weights, past);
  return { inputs: mul(third(1), values), state };
}
