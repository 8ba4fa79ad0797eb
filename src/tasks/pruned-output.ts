// What a run writes: a Hugging Face folder with all that belongs to it, or one GGUF file that has it in its header.
import type { Output } from "../checkpoint/storage.ts";
import type { PruneResult } from "../events/prune.ts";
import type { OutputForm } from "../method/output-format.ts";
import type { Model } from "../model/model.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { ModelWriter } from "../model/write/model-writer.ts";
import { prunedConfig } from "../model/write/pruned-config.ts";
import { parseByteSize } from "../options/byte-size.ts";
import { type Decisions, ggufRecord } from "../report/gguf-record.ts";
import { writeCompanions, writeReport } from "../report/write-report.ts";

/** A pruned model on its way into an output, which stays the caller's to commit or discard. */
export interface PrunedOutput {
  /** Writes all tensors of layer `index` of the new model. */
  writeLayer(index: number, weights: LayerWeights): Promise<void>;
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
  readonly form: OutputForm;
}

/** Starts to write. @throws {CompError} "architecture" or "checkpoint" as `ModelWriter.createGguf`. */
export function createPrunedOutput(request: OutputRequest): Promise<PrunedOutput> {
  return request.form.format === "gguf" ? ggufFile(request, request.form) : folder(request, request.form);
}

async function folder(
  { output, model, spec, options, keptLayers }: OutputRequest,
  { dtype }: OutputForm & { format: "safetensors" },
): Promise<PrunedOutput> {
  const writer = await ModelWriter.create(output, spec, dtype, parseByteSize(options.maxShardSize));
  return {
    writeLayer: (index, weights) => writer.writeLayer(index, weights),
    finish: async () => {
      await writer.copyGlobals(model);
      await writer.finish();
      const config = prunedConfig(model.config, model.spec, {
        keptLayers,
        layers: spec.layers,
        bias: spec.bias,
        dtype,
      });
      return [...writer.files, ...(await writeCompanions(output, model.checkpoint, config))];
    },
    report: (result) => writeReport(output, model.checkpoint, result),
  };
}

async function ggufFile(
  { output, model, spec, ...decisions }: OutputRequest,
  { dtype }: OutputForm & { format: "gguf" },
): Promise<PrunedOutput> {
  const record = await ggufRecord(model.checkpoint, decisions);
  const writer = await ModelWriter.createGguf(output, model, spec, dtype, record);
  return {
    writeLayer: (index, weights) => writer.writeLayer(index, weights),
    finish: async () => {
      await writer.copyGlobals(model);
      await writer.finish();
      return [...writer.files];
    },
    report: async () => undefined, // the header, which is complete, has the record
  };
}
