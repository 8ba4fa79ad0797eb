// Final norm and output head, reduced to a few numbers a token. Logits never exist whole: the vocabulary passes through
// memory in tiles, and what the tiles say is merged exactly.
import type { Program } from "../../compute/backend.ts";
import { Graph, type Value } from "../../compute/graph.ts";
import { argMax, exp, linear, max, mul, pick, sub, sum } from "../../compute/operations/index.ts";
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { norm } from "../graphs/decoder-layer.ts";
import { type HeadTile, headTiles, readFinalNorm } from "./head-tiles.ts";
import type { ProgramCache } from "./programs.ts";

/** Tokens whose logits of one tile are in memory at once. */
const TOKENS_PER_RUN = 512;

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
  for await (const tile of headTiles(input.model)) {
    for (const chunk of chunks(input, targets, tile)) {
      const program = await tileProgram(programs, input.model.spec, chunk.count, tile);
      const inputs = { hidden: chunk.hidden, finalNorm, head: tile.weight, targets: chunk.targets };
      statistics.merge(chunk.first, tile, await program.run(inputs));
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
    input: { model, hidden: own },
    statistics: new Accumulator(targets),
    reference: new Accumulator(targets),
  }));
  const [finalNorm, denseNorm] = [await readFinalNorm(model), await readFinalNorm(dense.model)];
  const ownTiles = model === dense.model ? undefined : headTiles(model);
  for await (const denseTile of headTiles(dense.model)) {
    const tile = ownTiles ? ((await ownTiles.next()).value as HeadTile) : denseTile;
    for (const chunk of chunks(dense, targets, tile)) {
      const denseProgram = await tileProgram(programs, dense.model.spec, chunk.count, tile, "reference");
      const shared = { targets: chunk.targets };
      const denseInputs = { ...shared, hidden: chunk.hidden, finalNorm: denseNorm, head: denseTile.weight };
      const { logits: denseLogits, ...wanted } = await denseProgram.run(denseInputs);
      const { largest: denseLargest } = wanted;
      const program = await tileProgram(programs, model.spec, chunk.count, tile, "compared");
      for (const { input, statistics, reference } of pairs) {
        const own = {
          ...shared,
          hidden: chunkOf(input, targets, tile, chunk.first).hidden,
          finalNorm,
          head: tile.weight,
        };
        const compared = { denseLogits: denseLogits!, denseLargest: denseLargest! };
        const { cross, ...result } = await program.run({ ...own, ...compared });
        statistics.merge(chunk.first, tile, result);
        reference.merge(chunk.first, tile, { ...wanted, cross: cross! });
      }
    }
  }
  return pairs.map(({ statistics, reference }) =>
    Object.assign(statistics, { dense: reference, divergence: divergences(statistics, reference) }),
  );
}

interface Chunk {
  readonly first: number;
  readonly count: number;
  readonly hidden: Tensor; // [count, hiddenSize]
  readonly targets: Tensor; // index of the target inside the tile, 0 where it lies outside [count, 1]
}

function* chunks(input: HeadInput, targets: Int32Array, tile: HeadTile): Generator<Chunk> {
  for (let first = 0; first < targets.length; first += TOKENS_PER_RUN) yield chunkOf(input, targets, tile, first);
}

function chunkOf({ model, hidden }: HeadInput, targets: Int32Array, { start, weight }: HeadTile, first: number): Chunk {
  const { hiddenSize } = model.spec;
  const count = Math.min(TOKENS_PER_RUN, targets.length - first);
  const inTile = targets
    .slice(first, first + count)
    .map((id) => (id >= start && id < start + weight.shape[0]! ? id - start : 0));
  return {
    first,
    count,
    hidden: tensor(hidden.subarray(first * hiddenSize, (first + count) * hiddenSize), [count, hiddenSize]),
    targets: tensor(inTile, [count, 1]),
  };
}

/** What a tile's program gives beside the statistics: the logits themselves, or the comparison with another's. */
type TileRole = "reference" | "compared";

function tileProgram(
  programs: ProgramCache,
  spec: DecoderSpec,
  count: number,
  tile: HeadTile,
  role?: TileRole,
): Promise<Program> {
  const rows = tile.weight.shape[0]!;
  return programs.get(`head ${count} ${rows} ${role}`, () => {
    const graph = new Graph();
    const x = norm(spec, graph.input("hidden", [count, spec.hiddenSize]), graph.input("finalNorm", [spec.hiddenSize]));
    const logits = linear(x, graph.input("head", [rows, spec.hiddenSize]));
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

  merge(first: number, { start, weight }: HeadTile, result: Record<string, Tensor>): void {
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
      if (id >= start && id < start + weight.shape[0]!) this.targetLogit[token] = target!.data[i]!;
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
