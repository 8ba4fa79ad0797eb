// How large a token's numbers are at a projection with a norm behind it, so that no token outweighs the others by size alone.
import type { Value } from "../compute/graph.ts";
import { mul, scale, shift, sqrt, sum } from "../compute/operations/index.ts";
import type { DecoderSpec } from "../model/decoder-spec.ts";

/** What a projection writes, and the residual stream behind it. */
export interface Written {
  readonly written: Value; // [tokens, hiddenSize]
  readonly hidden: Value; // [tokens, hiddenSize]
}

/**
 * u [tokens, 1], for models of `sandwichNorms`: an error of size u at the projection's output is an error of size 1 to the
 * layers that follow. The norm behind the projection divides its output by its root mean square, the norms ahead divide the
 * residual stream by its own.
 *
 * Second moments of z / u and of u · g (g: the gradient of the loss at the output) belong together: the products are the same,
 * but a few tokens of enormous numbers, to which the loss is blind, no longer make up most of them.
 */
export const tokenScale = (spec: DecoderSpec, { written, hidden }: Written): Value =>
  mul(rootMeanSquare(spec, written), rootMeanSquare(spec, hidden));

/** Of each row, [tokens, 1]. */
function rootMeanSquare({ hiddenSize, normEpsilon }: DecoderSpec, x: Value): Value {
  return sqrt(shift(scale(sum(mul(x, x), [1]), 1 / hiddenSize), normEpsilon));
}
