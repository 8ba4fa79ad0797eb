// Compiled graphs, shared by all layers of a shape.
import type { Backend, Program } from "../../compute/backend.ts";
import type { Graph } from "../../compute/graph.ts";
import type { LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { attentionOf, type LayerSpec, sizesOf } from "../../model/spec/parts.ts";
import type { LayerContext } from "../graphs/layer-values.ts";
import { type PositionTensors, windowPosition } from "../graphs/position.ts";

/** Programs kept; a model whose layers all have different widths would otherwise collect hundreds. */
const MAX_PROGRAMS = 48;

/** What determines a graph of one model: what it computes, under a name that no other graph has, and what it is fixed to. */
export type ProgramKey = readonly [computes: string, ...fixedTo: readonly (string | number | boolean)[]];

/** Compiles a graph when first asked for and keeps the programs used last. */
export class ProgramCache {
  readonly #backend: Backend;
  readonly #programs = new Map<string, Program>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** The program of a key; the graph is built only when it is not at hand. */
  async get(key: ProgramKey, build: () => Graph): Promise<Program> {
    const name = JSON.stringify(key);
    const program = this.#programs.get(name) ?? (await this.#backend.compile(build()));
    this.#programs.delete(name);
    this.#programs.set(name, program);
    if (this.#programs.size > MAX_PROGRAMS) await this.#releaseOldest();
    return program;
  }

  async release(): Promise<void> {
    while (this.#programs.size > 0) await this.#releaseOldest();
  }

  async #releaseOldest(): Promise<void> {
    const [name, program] = this.#programs.entries().next().value!;
    this.#programs.delete(name);
    await program.release();
  }
}

/** What a graph of a layer is fixed to: sizes, and which weights there are, since a pruned layer may have a bias that others lack. */
export function layerKey({ batch, length, sizes }: LayerContext, weights: LayerWeights): (string | number)[] {
  const { numAttentionHeads, numKeyValueHeads, intermediateSize } = sizesOf(sizes);
  const rotates = attentionOf(sizes)?.rope !== undefined ? "rotates" : "";
  const fixed = [sizes.mixer?.kind ?? "", numAttentionHeads, numKeyValueHeads, intermediateSize, rotates];
  return [batch, length, ...fixed, ...Object.keys(weights)];
}

/** What all runs of one model's layers share. */
export class LayerPrograms {
  readonly spec: DecoderSpec;
  readonly programs: ProgramCache;
  readonly #positions = new Map<string, PositionTensors>();

  constructor(backend: Backend, spec: DecoderSpec) {
    this.spec = spec;
    this.programs = new ProgramCache(backend);
  }

  /** What tells the mixer of a layer of these sizes where the tokens of windows of a length stand. */
  position(sizes: LayerSpec, length: number): PositionTensors {
    const { slidingWindow, rope } = attentionOf(sizes) ?? {};
    const key = `${length} ${sizes.mixer?.kind} ${slidingWindow} ${JSON.stringify(rope)}`;
    const position = this.#positions.get(key) ?? windowPosition(this.spec, sizes, length);
    this.#positions.set(key, position);
    return position;
  }

  release(): Promise<void> {
    return this.programs.release();
  }
}
