// Final norm and output head, reduced to a few numbers a token. Logits never exist whole: the vocabulary passes through
// memory in tiles, and what the tiles say is merged exactly.
import type { Program } from "../compute/backend.ts";
import { Graph, type Value } from "../compute/graph.ts";
import { argMax, exp, linear, max, mul, pick, sub, sum } from "../compute/operations/index.ts";
import { type Tensor, tensor } from "../compute/tensor.ts";
import type { DecoderSpec } from "../model/decoder-spec.ts";
import type { Model } from "../model/model.ts";
import { norm } from "./decoder-layer.ts";
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
      const program = await tileProgram(programs, input.model.spec, chunk.count, tile, false);
      const inputs = { hidden: chunk.hidden, finalNorm, head: tile.weight, targets: chunk.targets };
      statistics.merge(chunk.first, tile, await program.run(inputs), "");
    }
  }
  return statistics;
}

/** Statistics of two heads on the same tokens, and the divergence of the first from the second, the dense one. */
export async function compareHeads(
  programs: ProgramCache,
  input: HeadInput,
  dense: HeadInput,
  targets: Int32Array,
): Promise<HeadComparison> {
  const statistics = new Accumulator(targets);
  const reference = new Accumulator(targets);
  const finalNorm = await readFinalNorm(input.model);
  const denseNorm = await readFinalNorm(dense.model);
  const denseTiles = headTiles(dense.model);
  for await (const tile of headTiles(input.model)) {
    const { value: denseTile } = await denseTiles.next();
    for (const chunk of chunks(input, targets, tile)) {
      const { hidden: denseHidden } = chunkOf(dense, targets, tile, chunk.first);
      const program = await tileProgram(programs, input.model.spec, chunk.count, tile, true);
      const own = { hidden: chunk.hidden, finalNorm, head: tile.weight, targets: chunk.targets };
      const result = await program.run({ ...own, denseHidden, denseNorm, denseHead: (denseTile as HeadTile).weight });
      statistics.merge(chunk.first, tile, result, "");
      reference.merge(chunk.first, tile, result, "dense");
    }
  }
  return Object.assign(statistics, { dense: reference, divergence: divergences(statistics, reference) });
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

function tileProgram(
  programs: ProgramCache,
  spec: DecoderSpec,
  count: number,
  tile: HeadTile,
  compare: boolean,
): Promise<Program> {
  const rows = tile.weight.shape[0]!;
  return programs.get(`head ${count} ${rows} ${compare}`, () => {
    const graph = new Graph();
    const targets = graph.input("targets", [count, 1], "i32");
    const logits = addLogits(graph, spec, count, rows, ["hidden", "finalNorm", "head"]);
    addTileStatistics(graph, logits, targets, "");
    if (compare) {
      const denseLogits = addLogits(graph, spec, count, rows, ["denseHidden", "denseNorm", "denseHead"]);
      const weights = addTileStatistics(graph, denseLogits, targets, "dense");
      graph.output("denseCross", sum(mul(weights, sub(denseLogits, logits)), [1]));
    }
    return graph;
  });
}

function addLogits(
  graph: Graph,
  spec: DecoderSpec,
  count: number,
  rows: number,
  [hidden, finalNorm, head]: [string, string, string],
): Value {
  const x = graph.input(hidden, [count, spec.hiddenSize]);
  return linear(norm(spec, x, graph.input(finalNorm, [spec.hiddenSize])), graph.input(head, [rows, spec.hiddenSize]));
}

/** Adds a tile's outputs; returns exp(logit − largest of the tile). */
function addTileStatistics(graph: Graph, logits: Value, targets: Value, prefix: string): Value {
  const largest = max(logits);
  const weights = exp(sub(logits, largest));
  graph.output(`${prefix}Largest`, largest);
  graph.output(`${prefix}Sum`, sum(weights, [1]));
  graph.output(`${prefix}Top`, argMax(logits));
  graph.output(`${prefix}Target`, pick(logits, targets));
  return weights;
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

  merge(first: number, { start, weight }: HeadTile, result: Record<string, Tensor>, prefix: string): void {
    const [largest, sums, top, target] = ["Largest", "Sum", "Top", "Target"].map((name) => result[prefix + name]!.data);
    const cross = result[`${prefix}Cross`]?.data;
    for (let i = 0; i < largest!.length; i++) {
      const token = first + i;
      if (largest![i]! > this.#largest[token]!) {
        this.#rescale(token, largest![i]!);
        this.top[token] = start + top![i]!;
      }
      const factor = Math.exp(largest![i]! - this.#largest[token]!);
      this.#sum[token]! += factor * sums![i]!;
      if (cross) this.#cross[token]! += factor * cross[i]!;
      const id = this.#targets[token]!;
      if (id >= start && id < start + weight.shape[0]!) this.targetLogit[token] = target![i]!;
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
