// Writes a model into a Hugging Face folder or a GGUF file: layers as they are finished, everything else copied from the source
// in tiles. Rows that are as they were go over as the bytes that the source has of them, wherever the two files store them alike.

import { byteLength } from "../../checkpoint/dtype.ts";
import type { Output } from "../../checkpoint/storage.ts";
import { baseName } from "../../checkpoint/storage.ts";
import type { GgufMetadata } from "../../checkpoint/write-gguf.ts";
import { planShards, writeSafetensors } from "../../checkpoint/write-safetensors.ts";
import { elementCount } from "../../compute/tensor.ts";
import { gatherRows } from "../../linalg/gather.ts";
import { familyOf } from "../families/index.ts";
import type { Model } from "../model.ts";
import type { Experts, LayerWeight, LayerWeights } from "../read-layer.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import type { LayerPosition } from "../spec/layer-index.ts";
import { LAYER_ROLES } from "../spec/roles.ts";
import { embeddingTensor, finalNormTensors, headTensor, layerTensors, positionTensor } from "../spec/tensor-names.ts";
import { isSameForm, storedTensors } from "../storage/stored-tensors.ts";
import { type StoringWriter, storingWriter } from "../storage/write-stored.ts";
import { copySurroundings, planSurroundings } from "../surroundings.ts";
import { writeGgufModel } from "./gguf-writer.ts";
import type { GgufTypes, TensorTypes } from "./tensor-types.ts";

/** Bytes of an embedding matrix in memory at once. */
const TILE_BYTES = 32 * 2 ** 20;

/** Of the mean moment of a matrix's inputs: the least that counts. */
const LEAST_SHARE = 1e-3;

/** Writes the tensors of a model described by `spec`; the caller commits or discards the output. */
export class ModelWriter {
  readonly #source: Model;
  readonly #spec: DecoderSpec;
  readonly #writer: StoringWriter;
  /** Copies what lies around the model. */
  readonly #copyOthers: () => Promise<void>;
  /** Names of the weight files. */
  readonly files: readonly string[];

  private constructor(
    source: Model,
    spec: DecoderSpec,
    writer: StoringWriter,
    files: readonly string[],
    copyOthers: () => Promise<void> = async () => undefined,
  ) {
    this.#source = source;
    this.#spec = spec;
    this.#writer = writer;
    this.#copyOthers = copyOthers;
    this.files = files;
  }

  /** A folder of a model made from `source`, whose surroundings go along. */
  static async create(
    output: Output,
    source: Model,
    spec: DecoderSpec,
    types: TensorTypes,
    maxShardBytes: number,
  ): Promise<ModelWriter> {
    const { surroundings, checkpoint } = source;
    const nameOf = surroundings?.nameOf ?? ((name: string) => name);
    const stored = storedTensors(spec, familyOf({ model_type: spec.family }).storage).map((one) => ({
      ...one,
      name: nameOf(one.name),
      dtype: types.of(one.pieces[0]!.tensor),
    }));
    const others = surroundings === undefined ? [] : planSurroundings(surroundings);
    const shards = planShards([...stored, ...others], maxShardBytes);
    const index = shards.length > 1 ? ["model.safetensors.index.json"] : [];
    const inFiles = await writeSafetensors(output, shards);
    const names = [...shards.map(({ file }) => file), ...index];
    return new ModelWriter(source, spec, storingWriter(inFiles, stored), names, async () => {
      if (surroundings) await copySurroundings(surroundings, checkpoint, inFiles);
    });
  }

  /**
   * A GGUF file of a model made from `source`, whose metadata and tokenizer it takes over, plus `extra`.
   * @throws {CompError} "architecture" when llama.cpp cannot run it, "checkpoint" when it does not support the tokenizer.
   */
  static async createGguf(
    output: Output,
    source: Model,
    spec: DecoderSpec,
    types: GgufTypes,
    extra: GgufMetadata = new Map(),
  ): Promise<ModelWriter> {
    const writer = await writeGgufModel(output, source, spec, types, extra);
    return new ModelWriter(source, spec, writer, [baseName(output.name)]);
  }

  /** Writes all tensors of the layer at `position` of the new model; experts, where it has some, one after the other. */
  async writeLayer(position: LayerPosition, weights: LayerWeights, experts?: Experts): Promise<void> {
    const tensors = layerTensors(this.#spec, position);
    for (const { role, name, experts: count } of tensors)
      if (count === undefined) await this.#write(name, weights[role]!);
    for (let expert = 0; expert < (experts?.count ?? 0); expert++) {
      const own = await experts!.read(expert);
      for (const { role, name, shape, experts: count } of tensors)
        if (count !== undefined)
          await this.#write(name, own[LAYER_ROLES[role].ofExpert!]!, (expert * shape[0]!) / count);
    }
  }

  /** Takes a layer as written, which the run that this one goes on with has done. */
  keepLayer(position: LayerPosition): void {
    for (const { name } of layerTensors(this.#spec, position)) this.#writer.keep(name);
  }

  /** Copies embeddings, final norm and head, which pruning leaves as they are, and what lies around the model. */
  async copyGlobals(): Promise<void> {
    const { tiedEmbeddings } = this.#spec;
    const positions = [positionTensor(this.#spec) ?? []].flat();
    for (const { name } of [...finalNormTensors(this.#spec), ...positions]) await this.#copy(name, name);
    await this.#copyOthers();
    for (const tensor of tiedEmbeddings ? [embeddingTensor] : [embeddingTensor, headTensor])
      await this.#copy(tensor(this.#source.spec).name, tensor(this.#spec).name);
  }

  /** Checks that nothing is missing, and closes the files. */
  finish(): Promise<void> {
    return this.#writer.finish();
  }

  /** A tensor, or its rows from `start` on. */
  async #write(name: string, { data, source, inputMoments }: LayerWeight, start = 0): Promise<void> {
    const form = source && this.#source.rowForm(source.name);
    if (source === undefined || form === undefined || !isSameForm(form, this.#writer.rowForm(name)))
      return this.#writer.writeRows(name, start, data, inputMoments && positive(inputMoments));
    const first = source.rows.reduce((least, row) => Math.min(least, row), source.rows[0] ?? 0);
    const end = source.rows.reduce((most, row) => Math.max(most, row + 1), first);
    const bytes = await this.#source.readRowBytes(source.name, first, end);
    const rows = source.rows.map((row) => row - first);
    await this.#writer.writeRowBytes(name, start, gatherRows(bytes, byteLength(form.dtype, form.rowSize), rows));
  }

  async #copy(from: string, to: string): Promise<void> {
    const source = this.#source;
    const [count, ...rest] = source.tensors.get(from)!.shape as [number, ...number[]];
    const step = Math.max(1, Math.floor(TILE_BYTES / (4 * elementCount(rest))));
    const isSame = isSameForm(source.rowForm(from), this.#writer.rowForm(to));
    for (let start = 0; start < count; start += step) {
      const end = Math.min(count, start + step);
      if (isSame) await this.#writer.writeRowBytes(to, start, await source.readRowBytes(from, start, end));
      else await this.#writer.writeRows(to, start, await source.readRows(from, start, end));
    }
  }
}

/** Moments of which none is so small that a column, which other texts may well use, counts for nothing. */
function positive(moments: Float32Array): Float32Array {
  const mean = moments.reduce((sum, moment) => sum + moment, 0) / moments.length;
  return moments.map((moment) => Math.max(moment, LEAST_SHARE * mean));
}
