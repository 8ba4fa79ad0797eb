// The norm that some families have behind o_proj and down_proj (`normsOutputs`): what it does to sums over tokens at these
// projections, and what a projection has to write so that the norm's output gains something.
import type { Value } from "../../compute/graph.ts";
import { add, mul, reciprocal, scale, shift, sqrt, sum } from "../../compute/operations/elementwise.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";

/**
 * The most that may be asked for, as a multiple of the length of what the norm writes: its length is given, so that a larger
 * addition would only turn what is written away from what it is.
 */
const MOST = 1;

/** Gains far below their root mean square pass on too little to be of use: this share of the mean square is added to theirs. */
const LEAST_GAIN = 0.01;

/**
 * The scale u of each token, [tokens, 1]: the root mean square of what a projection writes, [tokens, hiddenSize]. The norm
 * behind the projection divides by it, so that an error of size u there is one of size 1 to all that follows.
 *
 * Second moments of z / u and of u · g (g: the gradient of the loss at the output) belong together: the products are the same,
 * but a few tokens of enormous numbers, to which the loss is blind, no longer make up most of them.
 */
export const tokenScale = ({ hiddenSize, normEpsilon }: DecoderSpec, written: Value): Value =>
  sqrt(shift(scale(sum(mul(written, written), [1]), 1 / hiddenSize), normEpsilon));

/**
 * e / u [tokens, hiddenSize] with u the token's scale: to first order the norm's output gains c, bounded to
 * c · MOST ‖n‖ / √(‖c‖² + MOST² ‖n‖²), when the projection writes e more. The division is by gain² + LEAST_GAIN · mean gain².
 *
 * @param missing c [tokens, hiddenSize]
 * @param normed n, what the norm writes now [tokens, hiddenSize]
 * @param gain of the norm [hiddenSize]
 */
export function beforeNorm({ hiddenSize }: DecoderSpec, missing: Value, normed: Value, gain: Value): Value {
  const squares = (value: Value): Value => sum(mul(value, value), [1]);
  const most = scale(squares(normed), MOST ** 2);
  const bound = sqrt(mul(most, reciprocal(add(squares(missing), most))));
  const gains = mul(gain, gain);
  const inverse = mul(gain, reciprocal(add(gains, scale(sum(gains, [0]), LEAST_GAIN / hiddenSize))));
  return mul(mul(missing, bound), inverse);
}
