// Grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245) as a graph: the queries of a group are stacked along the token
// axis, so that keys and values are never repeated.
import type { Value } from "../../compute/graph.ts";
import { add, cast, expand, mul, reshape, scale, sigmoid, softCap } from "../../compute/operations/elementwise.ts";
import { matmul, swapLast } from "../../compute/operations/linear.ts";
import { rotary, softmax } from "../../compute/operations/normalize.ts";
import { concat, slice, split, transpose } from "../../compute/operations/shape.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import type { Attention } from "../../model/spec/parts.ts";
import { type LayerContext, type LayerValues, type Mixed, type MixerState, project } from "./layer-values.ts";
import { norm } from "./norms.ts";
import type { Position } from "./position.ts";

/** Queries of a part of a window: fewer would leave the processor idle for longer than the keys that they leave out would take. */
const LEAST_QUERIES = 64;
/** More parts would leave out hardly more. */
const MOST_PARTS = 8;

/**
 * What o_proj reads.
 *
 * @param x    normed states, tokens of all windows in the rows [batch · length, hiddenSize]
 * @param past keys and values of earlier tokens, already rotated, each [batch, numKeyValueHeads, capacity, headDim], f32 or f16
 * @returns as state keys and values of these tokens, each [batch, numKeyValueHeads, length, headDim], of the type of the past ones
 */
export function attend(
  context: LayerContext,
  part: Attention,
  x: Value,
  weights: LayerValues,
  position: Position,
  past?: MixerState,
): Mixed {
  const { spec, batch, length } = context;
  const { numAttentionHeads, numKeyValueHeads } = part;
  const group = numAttentionHeads / numKeyValueHeads;
  const rotated = queriesAndKeys(context, part, x, weights, position);
  const queries = position.growth ? mul(rotated.queries, position.growth) : rotated.queries;
  const keys = like(past?.keys, rotated.keys);
  const values = like(past?.values, byHead(context, project(x, weights.vProj!, weights.vBias), numKeyValueHeads));
  const asked: Asked = {
    queries: reshape(queries, [batch, numKeyValueHeads, group, length, spec.headDim]),
    keys: behind(past?.keys, keys),
    values: behind(past?.values, values),
    mask: position.mask!,
  };
  const answers = (past ? [asked] : partsOf(asked)).map((some) => answer(spec, some, weights.sinks));
  const mixed = reshape(concat(answers, 3), [batch, numAttentionHeads, length, spec.headDim]);
  const inputs = reshape(transpose(mixed, [0, 2, 1, 3]), [batch * length, numAttentionHeads * spec.headDim]);
  const gated = weights.qGate ? mul(inputs, sigmoid(project(x, weights.qGate, undefined))) : inputs;
  return { inputs: gated, state: { keys, values } };
}

/** New keys or values in the type that the past ones wait in: a token sees its own as later ones will. */
const like = (past: Value | undefined, x: Value): Value => (past?.type === "f16" ? cast(x, "f16") : x);

/** Past keys or values and new ones, apart: to join them would copy all that is remembered. */
const behind = (past: Value | undefined, x: Value): Value[] => (past ? [cast(past, "f32"), cast(x, "f32")] : [x]);

/** Queries in their groups [batch, numKeyValueHeads, group, queries, headDim], and what they look at, in parts along the tokens. */
interface Asked {
  readonly queries: Value;
  readonly keys: readonly Value[]; // [batch, numKeyValueHeads, keys, headDim] each
  readonly values: readonly Value[]; // [batch, numKeyValueHeads, keys, headDim] each
  readonly mask: Value; // [..., queries, all keys]
}

/** The queries of a window in parts, each without the keys behind it, of which it sees none: of many parts, nearly half of all. */
function partsOf({ queries, keys, values, mask }: Asked): Asked[] {
  const length = queries.shape[3]!;
  const count = Math.min(MOST_PARTS, Math.max(1, Math.floor(length / LEAST_QUERIES)));
  const at = (part: number): number => Math.round((part * length) / count);
  const [row, column] = [mask.shape.length - 2, mask.shape.length - 1];
  return Array.from({ length: count }, (_, i) => {
    const [start, end] = [at(i), at(i + 1)];
    return {
      queries: slice(queries, 3, start, end),
      keys: keys.map((all) => slice(all, 2, 0, end)),
      values: values.map((all) => slice(all, 2, 0, end)),
      mask: slice(slice(mask, row, start, end), column, 0, end),
    };
  });
}

/** The values that queries see, weighted. [batch, numKeyValueHeads, group, queries, headDim] */
function answer(
  { attentionScale, scoreCap }: DecoderSpec,
  { queries, keys, values, mask }: Asked,
  sinks: Value | undefined,
): Value {
  const [batch, heads, group, length, headDim] = queries.shape as [number, number, number, number, number];
  const stacked = reshape(queries, [batch, heads, group * length, headDim]);
  const scores = concat(
    keys.map((some) => scale(matmul(stacked, swapLast(some)), attentionScale)),
    3,
  );
  const keyCount = scores.shape[3]!;
  const seen = add(softCap(reshape(scores, [batch, heads, group, length, keyCount]), scoreCap), mask);
  const shares = reshape(sinks ? besideSinks(seen, sinks) : softmax(seen), [batch, heads, group * length, keyCount]);
  const ofParts = split(
    shares,
    3,
    values.map(({ shape }) => shape[2]!),
  );
  const mixed = values.map((some, i) => matmul(ofParts[i]!, some));
  return reshape(
    mixed.reduce((sum, part) => add(sum, part)),
    [batch, heads, group, length, headDim],
  );
}

/** Softmax of scores [batch, numKeyValueHeads, group, length, keys] in which a number of each head [heads] takes part, and is left out. */
function besideSinks(scores: Value, sinks: Value): Value {
  const [batch, numKeyValueHeads, group, length, keys] = scores.shape as [number, number, number, number, number];
  const own = reshape(sinks, [1, numKeyValueHeads, group, 1, 1]);
  const all = concat([scores, expand(own, [batch, numKeyValueHeads, group, length, 1])], 4);
  return slice(softmax(all), 4, 0, keys);
}

/** Projected, normed and rotated; each [batch, heads, length, headDim]. */
function queriesAndKeys(
  context: LayerContext,
  { numAttentionHeads, numKeyValueHeads }: Attention,
  x: Value,
  weights: LayerValues,
  position: Position,
): Record<"queries" | "keys", Value> {
  const { spec } = context;
  const finish = (projected: Value, heads: number, norms: HeadNorms): Value => {
    const whole = norms.full ? norm(spec, projected, norms.full) : projected;
    if (spec.normsRotated) return normHeads(context, turn(spec, byHead(context, whole, heads), position), norms);
    return turn(spec, byHead(context, whole, heads, norms), position);
  };
  const [q, k] = [project(x, weights.qProj!, weights.qBias), project(x, weights.kProj!, weights.kBias)];
  return {
    queries: finish(q, numAttentionHeads, { shared: weights.qNorm, own: weights.qHeadNorms, full: weights.qFullNorm }),
    keys: finish(k, numKeyValueHeads, { shared: weights.kNorm, own: weights.kHeadNorms, full: weights.kFullNorm }),
  };
}

/** Weights of norms: of each head alike, of each its own, of all heads together. */
interface HeadNorms {
  readonly shared: Value | undefined;
  readonly own: Value | undefined;
  readonly full: Value | undefined;
}

/** [batch · length, heads · headDim] → [batch, heads, length, headDim], normed on the way. */
function byHead({ spec, batch, length }: LayerContext, x: Value, heads: number, norms?: HeadNorms): Value {
  const split = reshape(x, [batch, length, heads, spec.headDim]);
  const shared = norms?.shared ? norm(spec, split, norms.shared) : split;
  const own = norms?.own ? norm(spec, shared, reshape(norms.own, [heads, spec.headDim])) : shared;
  return transpose(own, [0, 2, 1, 3]);
}

/** The norms of heads that are rotated already. [batch, heads, length, headDim] */
const normHeads = ({ spec }: LayerContext, x: Value, { shared }: HeadNorms): Value =>
  shared ? norm(spec, x, shared) : x;

/** Rotates the leading elements of each head. [batch, heads, length, headDim] */
function turn({ headDim, rotarySize }: DecoderSpec, heads: Value, { cos, sin }: Position): Value {
  if (cos === undefined || sin === undefined) return heads;
  if (rotarySize === headDim) return rotary(heads, cos, sin);
  return concat([rotary(slice(heads, 3, 0, rotarySize), cos, sin), slice(heads, 3, rotarySize, headDim)], 3);
}
