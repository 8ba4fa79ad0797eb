// What a run writes: a Hugging Face folder with all that belongs to it, or one GGUF file that has it in its header.
import { cutFigures, type FigureName } from "../allocation/plan.ts";
import { countedWhole } from "../allocation/vocabulary.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { Output } from "../checkpoint/storage.ts";
import type { PruneResult } from "../events/prune.ts";
import type { OutputFormat } from "../method/output-format.ts";
import type { Model } from "../model/model.ts";
import type { Experts, LayerWeights } from "../model/read-layer.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { type LayerPosition, layerIndices } from "../model/spec/layer-index.ts";
import { ModelWriter } from "../model/write/model-writer.ts";
import { checkOwnCode } from "../model/write/own-code.ts";
import { prunedConfig } from "../model/write/pruned-config.ts";
import { ggufTypes, tensorTypes } from "../model/write/tensor-types.ts";
import { wholeConfig } from "../model/write/whole-config.ts";
import { parseByteSize } from "../options/prune.ts";
import { type Decisions, ggufRecord, writeCompanions, writeReport } from "../report/write-report.ts";

/** A pruned model on its way into an output, which stays the caller's to commit or discard. */
export interface PrunedOutput {
  /** Writes all tensors of the layer at a position of the new model. */
  writeLayer(position: LayerPosition, weights: LayerWeights, experts?: Experts): Promise<void>;
  /** Takes a layer as written, which the run that this one goes on with has done. */
  keepLayer(position: LayerPosition): void;
  /** Writes everything else that makes it a model. Returns the names of all files. */
  finish(): Promise<string[]>;
  /** Adds what can only be told at the end. */
  report(result: PruneResult): Promise<void>;
}

export interface OutputRequest extends Decisions {
  readonly output: Output;
  readonly model: Model;
  /** The pruned model. */
  readonly spec: DecoderSpec;
  readonly format: OutputFormat;
  /** With all its tokens, where some have gone. */
  readonly source?: Checkpoint | undefined;
}

/** What is told of a model that was written, whatever it was written for. */
export type WrittenFacts = Pick<
  PruneResult,
  "model" | "fingerprint" | "family" | "output" | "files" | "options" | "layersRemoved" | "vocabulary" | FigureName
>;

/** @param files the names of all files */
export async function writtenFacts(
  { output, model, source = model.checkpoint, spec, format, options, keptLayers, vocabulary }: OutputRequest,
  files: readonly string[],
): Promise<WrittenFacts> {
  return {
    model: source.name,
    fingerprint: await source.fingerprint(),
    family: model.spec.family,
    output: output.name,
    files,
    options,
    layersRemoved: layerIndices(model.spec).filter((index) => !keptLayers.includes(index)),
    ...countedWhole(cutFigures(model, { spec, keptLayers }, format), vocabulary),
    ...(vocabulary && { vocabulary }),
  };
}

/** Starts to write. @throws {CompError} "architecture" or "checkpoint" as `ModelWriter.createGguf`. */
export function createPrunedOutput(request: OutputRequest): Promise<PrunedOutput> {
  return request.format.format === "gguf" ? ggufFile(request, request.format) : folder(request, request.format);
}

async function folder(
  { output, model, spec, options, keptLayers }: OutputRequest,
  { dtype }: OutputFormat & { format: "safetensors" },
): Promise<PrunedOutput> {
  checkOwnCode(model, spec, false);
  const types = tensorTypes(model, keptLayers, dtype);
  const writer = await ModelWriter.create(output, model, spec, types, parseByteSize(options.maxShardSize));
  return {
    writeLayer: (...layer) => writer.writeLayer(...layer),
    keepLayer: (position) => writer.keepLayer(position),
    finish: async () => {
      await writer.copyGlobals();
      await writer.finish();
      const own = prunedConfig(model.config, model.spec, {
        keptLayers,
        layers: spec.layers,
        bias: spec.bias,
        dtype: types.most,
      });
      const config = model.surroundings ? wholeConfig(model.surroundings, own) : own;
      return [...writer.files, ...(await writeCompanions(output, model.checkpoint, config))];
    },
    report: (result) => writeReport(output, model.checkpoint, result),
  };
}

async function ggufFile(
  { output, model, source = model.checkpoint, spec, ...decisions }: OutputRequest,
  { dtype, weighted }: OutputFormat & { format: "gguf" },
): Promise<PrunedOutput> {
  const types = ggufTypes(model, decisions.keptLayers, dtype, weighted);
  const record = await ggufRecord(source, decisions);
  const writer = await ModelWriter.createGguf(output, model, spec, types, record);
  return {
    writeLayer: (...layer) => writer.writeLayer(...layer),
    keepLayer: (position) => writer.keepLayer(position),
    finish: async () => {
      await writer.copyGlobals();
      await writer.finish();
      return [...writer.files];
    },
    report: async () => undefined, // the header, which is complete, has the record
  };
}
