// Writes a model into a Hugging Face folder or a GGUF file: layers as they are finished, everything else copied from the source
// in tiles.

import type { FloatDtype } from "../../checkpoint/dtype.ts";
import type { Output } from "../../checkpoint/storage.ts";
import { baseName } from "../../checkpoint/storage.ts";
import type { TensorWriter } from "../../checkpoint/tensor-writer.ts";
import type { GgufMetadata } from "../../checkpoint/write-gguf.ts";
import { planShards, writeSafetensors } from "../../checkpoint/write-safetensors.ts";
import { familyOf } from "../families/index.ts";
import type { Model } from "../model.ts";
import type { LayerWeights } from "../read-layer.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import type { LayerPosition } from "../spec/layer-index.ts";
import { embeddingTensor, finalNormTensors, headTensor, layerTensors, positionTensor } from "../spec/tensor-names.ts";
import { storedTensors } from "../storage/stored-tensors.ts";
import { storingWriter } from "../storage/write-stored.ts";
import { copySurroundings, planSurroundings, type Surroundings } from "../surroundings.ts";
import { writeGgufModel } from "./gguf-writer.ts";
import type { TensorTypes } from "./tensor-types.ts";

/** Bytes of an embedding matrix in memory at once. */
const TILE_BYTES = 32 * 2 ** 20;

/** Writes the tensors of a model described by `spec`; the caller commits or discards the output. */
export class ModelWriter {
  readonly #spec: DecoderSpec;
  readonly #writer: TensorWriter;
  /** Takes tensors by the names that they have in the files. */
  readonly #files: TensorWriter;
  /** Names of the weight files. */
  readonly files: readonly string[];

  private constructor(spec: DecoderSpec, writer: TensorWriter, files: readonly string[], inFiles = writer) {
    this.#spec = spec;
    this.#writer = writer;
    this.#files = inFiles;
    this.files = files;
  }

  /** A folder, in which `surroundings` of the source are planned too. */
  static async create(
    output: Output,
    spec: DecoderSpec,
    types: TensorTypes<FloatDtype>,
    maxShardBytes: number,
    surroundings?: Surroundings,
  ): Promise<ModelWriter> {
    const nameOf = surroundings?.nameOf ?? ((name: string) => name);
    const stored = storedTensors(spec, familyOf({ model_type: spec.family }).storage).map((one) => ({
      ...one,
      name: nameOf(one.name),
    }));
    const tensors = stored.map(({ name, shape, pieces }) => ({ name, shape, dtype: types.of(pieces[0]!.tensor) }));
    const others = surroundings === undefined ? [] : planSurroundings(surroundings);
    const shards = planShards([...tensors, ...others], maxShardBytes);
    const index = shards.length > 1 ? ["model.safetensors.index.json"] : [];
    const inFiles = await writeSafetensors(output, shards);
    const names = [...shards.map(({ file }) => file), ...index];
    return new ModelWriter(spec, storingWriter(inFiles, stored), names, inFiles);
  }

  /**
   * A GGUF file of a model made from `source`, whose metadata and tokenizer it takes over, plus `extra`.
   * @throws {CompError} "architecture" when llama.cpp cannot run it, "checkpoint" when it does not support the tokenizer.
   */
  static async createGguf(
    output: Output,
    source: Model,
    spec: DecoderSpec,
    types: TensorTypes,
    extra: GgufMetadata = new Map(),
  ): Promise<ModelWriter> {
    const writer = await writeGgufModel(output, source, spec, types, extra);
    return new ModelWriter(spec, writer, [baseName(output.name)]);
  }

  /** Writes all tensors of the layer at `position` of the new model. */
  async writeLayer(position: LayerPosition, weights: LayerWeights): Promise<void> {
    for (const { role, name } of layerTensors(this.#spec, position))
      await this.#writer.write(name, weights[role]!.data);
  }

  /** Copies embeddings, final norm and head, which pruning leaves as they are, and what lies around the model. */
  async copyGlobals(source: Model): Promise<void> {
    const vectors = [...finalNormTensors(this.#spec), ...[positionTensor(this.#spec) ?? []].flat()];
    for (const { name } of vectors) await this.#writer.write(name, await source.read(name));
    const matrices = this.#spec.tiedEmbeddings ? [embeddingTensor] : [embeddingTensor, headTensor];
    if (source.surroundings) await copySurroundings(source.surroundings, source.checkpoint, this.#files);
    for (const tensor of matrices) await this.#copyRows(source, tensor(source.spec).name, tensor(this.#spec).name);
  }

  /** Checks that nothing is missing, and closes the files. */
  finish(): Promise<void> {
    return this.#writer.finish();
  }

  async #copyRows(source: Model, from: string, to: string): Promise<void> {
    const { vocabSize, hiddenSize } = this.#spec;
    const rows = Math.max(1, Math.floor(TILE_BYTES / (4 * hiddenSize)));
    for (let start = 0; start < vocabSize; start += rows) {
      await this.#writer.writeRows(to, start, await source.readRows(from, start, Math.min(vocabSize, start + rows)));
    }
  }
}
