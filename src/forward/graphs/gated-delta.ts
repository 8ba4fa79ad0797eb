// The gated delta rule (Yang et al. 2024, arXiv:2412.06464) as a graph, in chunks: within one all tokens at once by matrix products,
// from one to the next by the state S [keyHeadDim, valueHeadDim] of each head,
//   S_t = α_t (I − β_t k_t k_tᵀ) S_{t−1} + β_t k_t v_tᵀ,   o_t = S_tᵀ q_t,   α_t = exp(g_t).
import type { Value } from "../../compute/graph.ts";
import {
  add,
  exp,
  expand,
  mul,
  reciprocal,
  reshape,
  scale,
  shift,
  sigmoid,
  silu,
  softplus,
  sqrt,
  sub,
  sum,
} from "../../compute/operations/elementwise.ts";
import { matmul, swapLast } from "../../compute/operations/linear.ts";
import { rmsNorm } from "../../compute/operations/normalize.ts";
import { concat, cumulativeSum, lowerTriangle, slice, transpose } from "../../compute/operations/shape.ts";
import type { GatedDelta } from "../../model/spec/parts.ts";
import { causalConvolution } from "./causal-convolution.ts";
import { type LayerContext, type LayerValues, type Mixed, type MixerState, project } from "./layer-values.ts";

/** Tokens of a chunk: the inverse within it is a product of few powers, whose numbers stay far from f32's limits. */
const CHUNK = 16;

/** Added to squared lengths of queries and keys. */
const LENGTH_EPSILON = 1e-6;

/**
 * What the mixer's projection reads: norm(o) ⊙ silu(gate(x)).
 *
 * @param x    normed states [batch · length, hiddenSize]
 * @param past `convolved`, and `recurrent` [batch, valueHeads, keyHeadDim, valueHeadDim]
 */
export function deltaRule(
  context: LayerContext,
  part: GatedDelta,
  x: Value,
  weights: LayerValues,
  past?: MixerState,
): Mixed {
  const { batch, length, spec } = context;
  const { numKeyHeads, keyHeadDim, numValueHeads, valueHeadDim } = part;
  const { values, state } = causalConvolution(
    context,
    part.kernelSize,
    project(x, weights.deltaProj!, undefined),
    weights,
    past,
  );
  const mixed = silu(values);
  const keySize = numKeyHeads * keyHeadDim;
  const heads = (start: number, size: number, count: number): Value =>
    transpose(reshape(slice(mixed, 1, start, start + size), [batch, length, count, size / count]), [0, 2, 1, 3]);
  const key = (start: number): Value => shared(unitLength(heads(start, keySize, numKeyHeads)), numValueHeads);
  const perHead = (rate: Value): Value =>
    reshape(transpose(reshape(rate, [batch, length, numValueHeads]), [0, 2, 1]), [batch, numValueHeads, length, 1]);
  const step = softplus(add(project(x, weights.deltaDecay!, undefined), weights.deltaStep!));
  const recurrence = inChunks(
    {
      queries: scale(key(0), keyHeadDim ** -0.5),
      keys: key(keySize),
      values: heads(2 * keySize, numValueHeads * valueHeadDim, numValueHeads),
      beta: perHead(sigmoid(project(x, weights.deltaBeta!, undefined))),
      decay: perHead(scale(mul(step, exp(weights.deltaRate!)), -1)),
    },
    past?.recurrent,
  );
  const rows = [batch * length, numValueHeads, valueHeadDim];
  const normed = rmsNorm(
    reshape(transpose(recurrence.outputs, [0, 2, 1, 3]), rows),
    weights.deltaNorm!,
    spec.normEpsilon,
  );
  const gate = silu(reshape(project(x, weights.deltaGate!, undefined), rows));
  return {
    inputs: reshape(mul(normed, gate), [batch * length, numValueHeads * valueHeadDim]),
    state: { ...state, recurrent: recurrence.last },
  };
}

/** Vectors of the last axis at length 1. */
const unitLength = (x: Value): Value =>
  mul(x, reciprocal(sqrt(shift(sum(mul(x, x), [x.shape.length - 1]), LENGTH_EPSILON))));

/** Each key head serves as many value heads that stand next to one another. [batch, heads, length, size] */
function shared(x: Value, count: number): Value {
  const [batch, heads, length, size] = x.shape as [number, number, number, number];
  if (heads === count) return x;
  const times = count / heads;
  return reshape(expand(reshape(x, [batch, heads, 1, length, size]), [batch, heads, times, length, size]), [
    batch,
    count,
    length,
    size,
  ]);
}

/** What the recurrence takes of all tokens. */
interface Recurrence {
  readonly queries: Value; // [batch, heads, length, keyHeadDim]
  readonly keys: Value; // [batch, heads, length, keyHeadDim]
  readonly values: Value; // [batch, heads, length, valueHeadDim]
  readonly beta: Value; // [batch, heads, length, 1]
  readonly decay: Value; // g, at most 0 [batch, heads, length, 1]
}

/** The outputs [batch, heads, length, valueHeadDim] and the state after the last token; without a first state from zero. */
function inChunks(all: Recurrence, first: Value | undefined): { outputs: Value; last: Value } {
  const length = all.keys.shape[2]!;
  const outputs: Value[] = [];
  let state = first;
  for (let start = 0; start < length; start += CHUNK) {
    const end = Math.min(length, start + CHUNK);
    const part = (value: Value): Value => (end - start === length ? value : slice(value, 2, start, end));
    const chunk = throughChunk(
      {
        queries: part(all.queries),
        keys: part(all.keys),
        values: part(all.values),
        beta: part(all.beta),
        decay: part(all.decay),
      },
      state,
    );
    outputs.push(chunk.outputs);
    state = chunk.state;
  }
  return { outputs: outputs.length === 1 ? outputs[0]! : concat(outputs, 2), last: state! };
}

/** Section 3.3 of the paper: the chunk's corrected values solve a unit triangular system. */
function throughChunk(
  { queries, keys, values, beta, decay }: Recurrence,
  before: Value | undefined,
): { outputs: Value; state: Value } {
  const length = keys.shape[2]!;
  const total = cumulativeSum(decay, 2); // log of the decay since before the chunk
  const between = lowerTriangle(exp(lowerTriangle(sub(total, swapLast(total)), 0)), 0); // from column to row
  const weighted = mul(keys, beta);
  const system = lowerTriangle(mul(matmul(weighted, swapLast(keys)), between), -1);
  const fresh = solveUnitTriangular(system, mul(values, beta), length);
  const read = mul(matmul(queries, swapLast(keys)), between);
  const end = slice(total, 2, length - 1, length);
  const ahead = swapLast(mul(keys, exp(sub(end, total))));
  if (before === undefined) return { outputs: matmul(read, fresh), state: matmul(ahead, fresh) };
  const known = matmul(solveUnitTriangular(system, mul(weighted, exp(total)), length), before);
  const corrected = sub(fresh, known);
  const outputs = add(matmul(mul(queries, exp(total)), before), matmul(read, corrected));
  return { outputs, state: add(mul(before, exp(end)), matmul(ahead, corrected)) };
}

/** (I + L)⁻¹ b for a strictly lower L, by (I + L)⁻¹ = (I − L)(I + L²)(I + L⁴)…, which ends because Lⁿ = 0. */
function solveUnitTriangular(lower: Value, b: Value, size: number): Value {
  if (size === 1) return b;
  const powers: Value[] = [];
  for (let power = matmul(lower, lower), degree = 2; degree < size; power = matmul(power, power), degree *= 2)
    powers.push(power);
  const solved = powers.reduceRight((x, power) => add(x, matmul(power, x)), b);
  return sub(solved, matmul(lower, solved));
}
