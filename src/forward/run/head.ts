// Final norm and output head, reduced to a few numbers a token. Logits never exist whole: the vocabulary passes through
// memory in tiles, and what the tiles say is merged exactly.
import type { Program } from "../../compute/backend.ts";
import { Graph, type Value } from "../../compute/graph.ts";
import { exp, mul, sub, sum } from "../../compute/operations/elementwise.ts";
import { argMax, max, pick } from "../../compute/operations/normalize.ts";
import { ReusedTensor } from "../../compute/reused-tensor.ts";
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { type FinalNormWeights, type HeadInputs, tileLogits } from "../graphs/head.ts";
import { type HeadTile, readFinalNorm, readTile, tileRanges } from "./head-tiles.ts";
import type { ProgramCache } from "./programs.ts";

/** Tokens whose logits of one tile are in memory at once: more would be hardly faster. */
export const TOKENS_PER_RUN = 128;

/** Tokens `first` to `first` + `count` − 1. */
export interface TokenRange {
  readonly first: number;
  readonly count: number;
}

/** The ranges in which tokens pass through a head. */
export const tokenRanges = (tokens: number): TokenRange[] =>
  Array.from({ length: Math.ceil(tokens / TOKENS_PER_RUN) }, (_, i) => ({
    first: i * TOKENS_PER_RUN,
    count: Math.min(TOKENS_PER_RUN, tokens - i * TOKENS_PER_RUN),
  }));

/** A view on some rows of states [tokens, hiddenSize]. */
export const tokenRows = (
  states: Float32Array,
  { first, count }: TokenRange,
  hiddenSize: number,
): Tensor<Float32Array> =>
  tensor(states.subarray(first * hiddenSize, (first + count) * hiddenSize), [count, hiddenSize]);

/** Hidden states before the final norm, and the model whose head reads them. */
export interface HeadInput {
  readonly model: Model;
  readonly hidden: Float32Array; // [tokens, hiddenSize]
}

/** What a head says of each token, over the whole vocabulary. */
export interface HeadStatistics {
  readonly logSumExp: Float64Array; // [tokens]
  readonly targetLogit: Float64Array; // [tokens]
  readonly top: Int32Array; // token id of the largest logit [tokens]
}

export interface HeadComparison extends HeadStatistics {
  readonly dense: HeadStatistics;
  /** KL(dense ‖ model) in nats. [tokens] */
  readonly divergence: Float64Array;
}

/** Statistics of one head; `targets` [tokens] are the ids that the positions should predict. */
export async function runHead(programs: ProgramCache, input: HeadInput, targets: Int32Array): Promise<HeadStatistics> {
  const statistics = new Accumulator(targets);
  const finalNorm = await readFinalNorm(input.model);
  for (const range of tileRanges(input.model.spec)) {
    const tile = await readTile(input.model, range);
    for (const tokens of tokenRanges(targets.length)) {
      const program = await tileProgram(programs, input.model.spec, tokens, tile);
      const inputs = headInputs(input, tokens, finalNorm, tile);
      statistics.merge(tokens, tile, await program.run({ ...inputs, targets: targetsIn(tile, targets, tokens) }));
    }
  }
  return statistics;
}

/**
 * Statistics of a model's head on the same tokens for each of several hidden states, and the divergence of each from the dense
 * one. The heads are read once for all of them.
 *
 * @param hidden each [tokens, hiddenSize]
 */
export async function compareHeads(
  programs: ProgramCache,
  model: Model,
  hidden: readonly Float32Array[],
  dense: HeadInput,
  targets: Int32Array,
): Promise<HeadComparison[]> {
  const pairs = hidden.map((own) => ({
    hidden: own,
    statistics: new Accumulator(targets),
    reference: new Accumulator(targets),
  }));
  const [finalNorm, denseNorm] = [await readFinalNorm(model), await readFinalNorm(dense.model)];
  const memory = new ReusedTensor();
  for (const range of tileRanges(model.spec)) {
    const denseTile = await readTile(dense.model, range);
    const tile = model === dense.model ? denseTile : await readTile(model, range);
    for (const tokens of tokenRanges(targets.length)) {
      const inTile = targetsIn(tile, targets, tokens);
      const denseProgram = await tileProgram(programs, dense.model.spec, tokens, tile, "reference");
      const denseInputs = headInputs(dense, tokens, denseNorm, denseTile);
      const denseLogits = memory.of([tokens.count, tile.end - tile.start]);
      const wanted = await denseProgram.run({ ...denseInputs, targets: inTile }, { logits: denseLogits });
      const compared = { targets: inTile, denseLogits, denseLargest: wanted.largest! };
      const program = await tileProgram(programs, model.spec, tokens, tile, "compared");
      for (const { hidden: own, statistics, reference } of pairs) {
        const inputs = headInputs({ model, hidden: own }, tokens, finalNorm, tile);
        const { cross, ...result } = await program.run({ ...inputs, ...compared });
        statistics.merge(tokens, tile, result);
        reference.merge(tokens, tile, { ...wanted, cross: cross! });
      }
    }
  }
  return pairs.map(({ statistics, reference }) =>
    Object.assign(statistics, { dense: reference, divergence: divergences(statistics, reference) }),
  );
}

/** What a graph of the head takes for some tokens and a tile. */
export const headInputs = (
  { model, hidden }: HeadInput,
  tokens: TokenRange,
  norm: FinalNormWeights,
  { weight }: HeadTile,
): HeadInputs => ({ hidden: tokenRows(hidden, tokens, model.spec.hiddenSize), ...norm, head: weight });

/** Index of each token's target inside the tile, 0 where it lies outside. [count, 1] */
function targetsIn({ start, end }: HeadTile, targets: Int32Array, { first, count }: TokenRange): Tensor {
  const inTile = targets.slice(first, first + count).map((id) => (id >= start && id < end ? id - start : 0));
  return tensor(inTile, [count, 1]);
}

/** What a tile's program gives beside the statistics: the logits themselves, or the comparison with another's. */
type TileRole = "reference" | "compared";

function tileProgram(
  programs: ProgramCache,
  spec: DecoderSpec,
  { count }: TokenRange,
  { start, end }: HeadTile,
  role?: TileRole,
): Promise<Program> {
  const rows = end - start;
  return programs.get(["head", count, rows, role ?? "alone"], () => {
    const graph = new Graph();
    const logits = tileLogits(graph, spec, count, rows);
    addTileStatistics(graph, logits, graph.input("targets", [count, 1], "i32"));
    if (role === "reference") graph.output("logits", logits);
    if (role === "compared") {
      const denseLogits = graph.input("denseLogits", [count, rows]);
      const weights = exp(sub(denseLogits, graph.input("denseLargest", [count, 1])));
      graph.output("cross", sum(mul(weights, sub(denseLogits, logits)), [1]));
    }
    return graph;
  });
}

function addTileStatistics(graph: Graph, logits: Value, targets: Value): void {
  const largest = max(logits);
  graph.output("largest", largest);
  graph.output("sum", sum(exp(sub(logits, largest)), [1]));
  graph.output("top", argMax(logits));
  graph.output("target", pick(logits, targets));
}

/** Merges tiles: sums of exp(logit − largest) are rescaled whenever a larger logit appears. */
class Accumulator implements HeadStatistics {
  readonly #targets: Int32Array;
  readonly #largest: Float64Array;
  readonly #sum: Float64Array;
  readonly #cross: Float64Array; // Σ exp(logit − largest) · (logit − other model's logit)
  readonly targetLogit: Float64Array;
  readonly top: Int32Array;

  constructor(targets: Int32Array) {
    this.#targets = targets;
    this.#largest = new Float64Array(targets.length).fill(Number.NEGATIVE_INFINITY);
    this.#sum = new Float64Array(targets.length);
    this.#cross = new Float64Array(targets.length);
    this.targetLogit = new Float64Array(targets.length);
    this.top = new Int32Array(targets.length);
  }

  merge({ first }: TokenRange, { start, end }: HeadTile, result: Record<string, Tensor>): void {
    const { largest: maxima, sum: sums, top, target, cross } = result;
    for (const [i, largest] of maxima!.data.entries()) {
      const token = first + i;
      if (largest > this.#largest[token]!) {
        this.#rescale(token, largest);
        this.top[token] = start + top!.data[i]!;
      }
      const factor = Math.exp(largest - this.#largest[token]!);
      this.#sum[token]! += factor * sums!.data[i]!;
      if (cross) this.#cross[token]! += factor * cross.data[i]!;
      const id = this.#targets[token]!;
      if (id >= start && id < end) this.targetLogit[token] = target!.data[i]!;
    }
  }

  get logSumExp(): Float64Array {
    return this.#sum.map((total, i) => this.#largest[i]! + Math.log(total));
  }

  /** Mean of (logit − other model's logit) under the softmax. [tokens] */
  get meanDifference(): Float64Array {
    return this.#cross.map((total, i) => total / this.#sum[i]!);
  }

  #rescale(token: number, largest: number): void {
    const factor = Math.exp(this.#largest[token]! - largest);
    this.#sum[token]! *= factor;
    this.#cross[token]! *= factor;
    this.#largest[token] = largest;
  }
}

/** KL(p ‖ q) = Σ p (a − b) − lse(a) + lse(b) for logits a of p and b of q. */
function divergences(model: Accumulator, dense: Accumulator): Float64Array {
  const [ownSum, denseSum] = [model.logSumExp, dense.logSumExp];
  return dense.meanDifference.map((difference, i) => difference - denseSum[i]! + ownSum[i]!);
}
