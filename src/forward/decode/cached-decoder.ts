// Decoding with a key-value cache: each step takes the next tokens of a batch of sequences and returns the logits of the last.
import type { Backend } from "../../compute/backend.ts";
import { Graph, type Value } from "../../compute/graph.ts";
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { type LayerIndex, layerIndices } from "../../model/spec/layer-index.ts";
import {
  attentionSublayer,
  declareWeights,
  hasSublayer,
  type LayerContext,
  type LayerValues,
  mlpSublayer,
} from "../graphs/decoder-layer.ts";
import { type HeadInputs, tileLogits } from "../graphs/head.ts";
import { cachedPosition, declarePosition } from "../graphs/position.ts";
import { embed } from "../run/embed.ts";
import { readFinalNorm, tileRanges } from "../run/head-tiles.ts";
import { layerKey, ProgramCache } from "../run/programs.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import type { ResidentWeights } from "./resident-weights.ts";

/** A model that reads tokens one step after another. */
export class CachedDecoder {
  readonly #weights: ResidentWeights;
  readonly #programs: ProgramCache;
  readonly #caches: KeyValueCache[];
  readonly #batch: number;
  readonly #collectGarbage: () => void;
  #length = 0;

  /**
   * @param weights may be shared by decoders that follow one another
   * @param collectGarbage called when a cache has grown, so that the memory of the smaller ones does not add up
   */
  constructor(backend: Backend, weights: ResidentWeights, batch: number, collectGarbage: () => void = () => undefined) {
    const { model } = weights;
    this.#weights = weights;
    this.#programs = new ProgramCache(backend);
    this.#batch = batch;
    this.#collectGarbage = collectGarbage;
    this.#caches = model.spec.layers.map(
      (layer) => new KeyValueCache(batch, layer.numKeyValueHeads, model.spec.headDim),
    );
  }

  /**
   * Reads the next `count` tokens of each sequence.
   *
   * @param ids [batch, count]
   * @returns logits of the token after them [batch, vocabSize]
   */
  async step(ids: Int32Array, count: number): Promise<Float32Array> {
    const { model } = this.#weights;
    const { all } = await embed(model, { ids, count: 1, length: ids.length });
    let hidden: Tensor = tensor(all, [ids.length, model.spec.hiddenSize]);
    for (const index of layerIndices(model.spec)) hidden = await this.#layer(index, hidden, count);
    this.#length += count;
    return this.#logits(lastRows(hidden.data as Float32Array, this.#batch, count));
  }

  release(): Promise<void> {
    return this.#programs.release();
  }

  async #layer(index: LayerIndex, x: Tensor, length: number): Promise<Tensor> {
    const { spec } = this.#weights.model;
    const { sizes, weights } = await this.#weights.layer(index);
    const cache = this.#caches[index]!;
    const { capacity } = cache;
    const context: LayerContext = { spec, sizes, batch: this.#batch, length };
    const program = await this.#programs.get(["step", capacity, ...layerKey(context, weights)], () =>
      stepGraph(context, weights, capacity),
    );
    const past = hasSublayer("attention", sizes)
      ? { ...cachedPosition(spec, sizes, this.#length, length, capacity), keys: cache.keys, values: cache.values }
      : {};
    const { hidden, newKeys, newValues } = await program.run({ x, ...weights, ...past });
    if (newKeys && newValues) this.#append(cache, newKeys.data as Float32Array, newValues.data as Float32Array, length);
    return hidden!;
  }

  #append(cache: KeyValueCache, keys: Float32Array, values: Float32Array, count: number): void {
    const { capacity } = cache;
    cache.append(keys, values, count);
    if (cache.capacity > capacity) this.#collectGarbage();
  }

  async #logits(last: Float32Array): Promise<Float32Array> {
    const { spec } = this.#weights.model;
    const logits = new Float32Array(this.#batch * spec.vocabSize);
    const hidden = tensor(last, [this.#batch, spec.hiddenSize]);
    const finalNorm = await readFinalNorm(this.#weights.model);
    for (const range of tileRanges(spec)) {
      const { start, end, weight } = await this.#weights.tile(range);
      const rows = end - start;
      const inputs: HeadInputs = { hidden, finalNorm, head: weight };
      const program = await this.#programs.get(["logits", rows], () => logitsGraph(spec, this.#batch, rows));
      const tile = (await program.run({ ...inputs })).logits!.data as Float32Array;
      for (let i = 0; i < this.#batch; i++)
        logits.set(tile.subarray(i * rows, (i + 1) * rows), i * spec.vocabSize + start);
    }
    return logits;
  }
}

/** The hidden state of each sequence's last token. [batch, hiddenSize] */
function lastRows(hidden: Float32Array, batch: number, count: number): Float32Array {
  const size = hidden.length / (batch * count);
  const last = new Float32Array(batch * size);
  for (let i = 0; i < batch; i++)
    last.set(hidden.subarray(((i + 1) * count - 1) * size, (i + 1) * count * size), i * size);
  return last;
}

/** A layer without attention or without an MLP has only the other sublayer. */
function stepGraph(context: LayerContext, weights: LayerWeights, capacity: number): Graph {
  const { spec, sizes, batch, length } = context;
  const graph = new Graph();
  const x = graph.input("x", [batch * length, spec.hiddenSize]);
  const values = declareWeights(graph, weights);
  const hidden = hasSublayer("attention", sizes) ? addCachedAttention(graph, context, x, values, capacity) : x;
  graph.output("hidden", hasSublayer("mlp", sizes) ? mlpSublayer(context, hidden, values).hidden : hidden);
  return graph;
}

/** Attention over the cache and the new tokens, whose keys and values are outputs. Returns the hidden states. */
function addCachedAttention(
  graph: Graph,
  context: LayerContext,
  x: Value,
  values: LayerValues,
  capacity: number,
): Value {
  const { spec, sizes, batch, length } = context;
  const position = declarePosition(graph, spec, length, capacity + length);
  const cacheShape = [batch, sizes.numKeyValueHeads, capacity, spec.headDim];
  const past = { keys: graph.input("keys", cacheShape), values: graph.input("values", cacheShape) };
  const attention = attentionSublayer(context, x, values, position, past);
  graph.output("newKeys", attention.keys);
  graph.output("newValues", attention.values);
  return attention.hidden;
}

function logitsGraph(spec: DecoderSpec, count: number, rows: number): Graph {
  const graph = new Graph();
  graph.output("logits", tileLogits(graph, spec, count, rows));
  return graph;
}
