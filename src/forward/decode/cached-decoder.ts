// Decoding with what each layer remembers: each step takes the next tokens of a batch of sequences and returns the logits of the last.
// Where frequencies follow the length of the text, tokens are read anew once they change: logits are those of the whole text.
import type { Backend } from "../../compute/backend.ts";
import { Graph } from "../../compute/graph.ts";
import { ReusedTensor } from "../../compute/reused-tensor.ts";
import { elementTypeOf, type Tensor, tensor } from "../../compute/tensor.ts";
import type { DecoderLayer, LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { type LayerIndex, layerIndices } from "../../model/spec/layer-index.ts";
import { attentionOf, mixtureOf } from "../../model/spec/parts.ts";
import { keepsFrequencies } from "../../model/spec/rope.ts";
import { sublayerWeights, wholeLayer } from "../graphs/decoder-layer.ts";
import { type HeadInputs, tileLogits } from "../graphs/head.ts";
import { declareWeights, type LayerContext } from "../graphs/layer-values.ts";
import { cachedPosition, declarePosition } from "../graphs/position.ts";
import { embed } from "../run/embed.ts";
import { readFinalNorm, tileRanges } from "../run/head-tiles.ts";
import { passMixture } from "../run/mixture.ts";
import { layerKey, ProgramCache } from "../run/programs.ts";
import type { CacheType } from "./key-value-cache.ts";
import { emptyMemory, type MixerMemory } from "./mixer-memory.ts";
import type { ResidentWeights } from "./resident-weights.ts";

export interface DecoderOptions {
  /** What keys and values wait in: f32, in which logits are those of the whole text, unless it is given. */
  readonly cacheType?: CacheType;
  /** Called when a cache has grown, so that the memory of the smaller ones does not add up. */
  readonly collectGarbage?: () => void;
}

/** A model that reads tokens one step after another. */
export class CachedDecoder {
  readonly #weights: ResidentWeights;
  readonly #programs: ProgramCache;
  #memories: readonly (MixerMemory | undefined)[];
  readonly #batch: number;
  readonly #cacheType: CacheType;
  readonly #collectGarbage: () => void;
  readonly #logits = new ReusedTensor();
  readonly #tileLogits = new ReusedTensor();
  /** What was read so far. [batch, #length] */
  #ids = new Int32Array(0);
  #length = 0;

  /** @param weights may be shared by decoders that follow one another */
  constructor(backend: Backend, weights: ResidentWeights, batch: number, options: DecoderOptions = {}) {
    const { model } = weights;
    this.#weights = weights;
    this.#programs = new ProgramCache(backend);
    this.#batch = batch;
    this.#cacheType = options.cacheType ?? "f32";
    this.#collectGarbage = options.collectGarbage ?? (() => undefined);
    this.#memories = emptyMemories(model.spec, batch, this.#cacheType);
  }

  /**
   * Reads the next `count` tokens of each sequence.
   *
   * @param ids [batch, count]
   * @returns logits of the token after them [batch, vocabSize], valid until the next step
   */
  step(ids: Int32Array, count: number): Promise<Float32Array> {
    const { spec } = this.#weights.model;
    const length = this.#length + count;
    this.#ids = joinRows(this.#ids, ids, this.#batch);
    if (this.#length === 0 || keepsRotation(spec, this.#length, length)) return this.#read(ids, count);
    this.#memories = emptyMemories(spec, this.#batch, this.#cacheType);
    this.#length = 0;
    return this.#read(this.#ids, length);
  }

  release(): Promise<void> {
    return this.#programs.release();
  }

  async #read(ids: Int32Array, count: number): Promise<Float32Array> {
    const { model } = this.#weights;
    const { all } = await embed(model, { ids, count: this.#batch, length: count }, this.#length);
    let hidden: Tensor = tensor(all, [ids.length, model.spec.hiddenSize]);
    for (const index of layerIndices(model.spec)) hidden = await this.#layer(index, hidden, count);
    this.#length += count;
    return this.#predict(lastRows(hidden.data as Float32Array, this.#batch, count));
  }

  async #layer(index: LayerIndex, x: Tensor, length: number): Promise<Tensor> {
    const { spec } = this.#weights.model;
    const layer = await this.#weights.layer(index);
    if (mixtureOf(layer.sizes) === undefined) return this.#step(index, layer, x, length);
    const sizes = { ...layer.sizes, channel: null };
    const weights = sublayerWeights("attention", spec, layer);
    const mixed = sizes.mixer ? await this.#step(index, { sizes, weights }, x, length) : x;
    await passMixture({ spec, programs: this.#programs }, layer, mixed as Tensor<Float32Array>);
    return mixed;
  }

  /** One layer, or the attention of one whose experts follow. */
  async #step(index: LayerIndex, { sizes, weights }: DecoderLayer, x: Tensor, length: number): Promise<Tensor> {
    const { spec } = this.#weights.model;
    const memory = this.#memories[index];
    const capacity = memory?.capacity ?? 0;
    const context: LayerContext = { spec, sizes, batch: this.#batch, length };
    const program = await this.#programs.get(["step", capacity, ...layerKey(context, weights)], () =>
      stepGraph(context, weights, memory),
    );
    const position = cachedPosition(spec, sizes, this.#length, length, capacity);
    const { hidden, ...state } = await program.run({ x, ...weights, ...position, ...memory?.state });
    memory?.take(Object.fromEntries(Object.entries(state).map(([name, value]) => [stateName(name), value])), length);
    if (memory && memory.capacity > capacity) this.#collectGarbage();
    return hidden!;
  }

  async #predict(last: Float32Array): Promise<Float32Array> {
    const { spec } = this.#weights.model;
    const { data: logits } = this.#logits.of([this.#batch, spec.vocabSize]);
    const hidden = tensor(last, [this.#batch, spec.hiddenSize]);
    const norm = await readFinalNorm(this.#weights.model);
    for (const range of tileRanges(spec)) {
      const { start, end, weight } = await this.#weights.tile(range);
      const rows = end - start;
      const inputs: HeadInputs = { hidden, ...norm, head: weight };
      const program = await this.#programs.get(["logits", rows], () => logitsGraph(spec, this.#batch, rows));
      const tile = this.#tileLogits.of([this.#batch, rows]);
      await program.run({ ...inputs }, { logits: tile });
      for (let i = 0; i < this.#batch; i++)
        logits.set(tile.data.subarray(i * rows, (i + 1) * rows), i * spec.vocabSize + start);
    }
    return logits;
  }
}

const emptyMemories = (spec: DecoderSpec, batch: number, type: CacheType): (MixerMemory | undefined)[] =>
  spec.layers.map((layer) => emptyMemory(spec, layer, batch, type));

/** Whether what is remembered holds when a text grows: keys are rotated, and states made from attention to such keys. */
const keepsRotation = ({ layers }: DecoderSpec, before: number, after: number): boolean =>
  layers.every((layer) => {
    const rope = attentionOf(layer)?.rope;
    return rope === undefined || keepsFrequencies(rope, before, after);
  });

/** Each of `count` rows followed by its next elements. */
function joinRows(rows: Int32Array, next: Int32Array, count: number): Int32Array<ArrayBuffer> {
  const [size, added] = [rows.length / count, next.length / count];
  const joined = new Int32Array(rows.length + next.length);
  for (let i = 0; i < count; i++) {
    joined.set(rows.subarray(i * size, (i + 1) * size), i * (size + added));
    joined.set(next.subarray(i * added, (i + 1) * added), i * (size + added) + size);
  }
  return joined;
}

/** The hidden state of each sequence's last token. [batch, hiddenSize] */
function lastRows(hidden: Float32Array, batch: number, count: number): Float32Array {
  const size = hidden.length / (batch * count);
  const last = new Float32Array(batch * size);
  for (let i = 0; i < batch; i++)
    last.set(hidden.subarray(((i + 1) * count - 1) * size, (i + 1) * count * size), i * size);
  return last;
}

/** An output of the graph that replaces, or adds to, an input of the name behind it. */
const NEW = "new ";
const stateName = (output: string): string => output.slice(NEW.length);

/** The layer over what its mixer remembers and the new tokens; what there is to remember of these is among the outputs. */
function stepGraph(context: LayerContext, weights: LayerWeights, memory: MixerMemory | undefined): Graph {
  const { spec, sizes, batch, length } = context;
  const graph = new Graph();
  const x = graph.input("x", [batch * length, spec.hiddenSize]);
  const values = declareWeights(graph, weights);
  const position = declarePosition(graph, spec, sizes, length, (memory?.capacity ?? 0) + length);
  const past = memory && mapped(memory.state, (name, { data, shape }) => graph.input(name, shape, elementTypeOf(data)));
  const { attention, hidden } = wholeLayer(context, x, values, position, past);
  graph.output("hidden", hidden);
  for (const [name, value] of Object.entries(attention?.state ?? {})) graph.output(`${NEW}${name}`, value);
  return graph;
}

const mapped = <From, To>(values: Readonly<Record<string, From>>, map: (name: string, value: From) => To) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(name, value)]));

function logitsGraph(spec: DecoderSpec, count: number, rows: number): Graph {
  const graph = new Graph();
  graph.output("logits", tileLogits(graph, spec, count, rows));
  return graph;
}
