// How large a token's numbers are at a projection with a norm behind it, so that no token outweighs the others by size alone.
import type { Value } from "../../compute/graph.ts";
import { mul, scale, shift, sqrt, sum } from "../../compute/operations/index.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";

/**
 * u [tokens, 1], the root mean square of what a projection writes, [tokens, hiddenSize]: for models of `sandwichNorms`, where
 * the norm behind the projection divides by it, so that an error of size u is one of size 1 to all that follows.
 *
 * Second moments of z / u and of u · g (g: the gradient of the loss at the output) belong together: the products are the same,
 * but a few tokens of enormous numbers, to which the loss is blind, no longer make up most of them.
 */
export const tokenScale = ({ hiddenSize, normEpsilon }: DecoderSpec, written: Value): Value =>
  sqrt(shift(scale(sum(mul(written, written), [1]), 1 / hiddenSize), normEpsilon));
