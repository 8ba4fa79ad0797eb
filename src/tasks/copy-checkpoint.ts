// A run of which nothing is to go, or tokens alone: the model is written as asked, layer by layer, and neither calibrated nor measured.
import { verifyCopy } from "../evaluate/verify-output.ts";
import type { CopyResult, LayerResult, PruneEvent } from "../events/prune.ts";
import { readLayer } from "../model/read-layer.ts";
import { layerIndices, layerPositions } from "../model/spec/layer-index.ts";
import { type LayerSpec, sizesOf } from "../model/spec/parts.ts";
import { recordedOptions } from "../options/prune.ts";
import type { Host } from "../run-context.ts";
import { readDocuments } from "../texts/documents.ts";
import { measuredVocabulary } from "./cut-vocabulary.ts";
import type { Job } from "./prepare.ts";
import { createPrunedOutput, type PrunedOutput, writtenFacts } from "./pruned-output.ts";

/** Of the text by which the tokenizer is verified. */
const VERIFIED_CHARACTERS = 8192;

/** Writes the model of a job into the host's output. @throws {CompError} as `pruneCheckpoint` */
export async function copyCheckpoint(job: Job, host: Host, report: (event: PruneEvent) => void): Promise<CopyResult> {
  const start = host.now();
  const { model, vocabulary: cut, format } = job;
  const options = recordedOptions(job.options);
  const vocabulary = await measuredVocabulary(cut, host.backend);
  const output = await host.createOutput();
  try {
    const keptLayers = layerIndices(model.spec);
    const request = { output, model, spec: model.spec, format, options, keptLayers, ...vocabulary };
    const writer = await createPrunedOutput(request);
    const layers = await copyLayers(job, writer, host, report);
    const files = await writer.finish();
    report({ type: "stage", name: "verify", done: 0, total: 1 });
    const [text] = readDocuments(await host.bundledText());
    await verifyCopy(output, model.checkpoint, text!.slice(0, VERIFIED_CHARACTERS), format);
    const facts = { ...(await writtenFacts(request, files)), layers };
    const machine = { device: host.backend.device, cores: host.cores };
    const spent = { ...machine, seconds: host.now() - start, peakBytes: host.peakBytes() };
    const result: CopyResult = { ...facts, ...spent };
    await writer.report(result);
    host.signal?.throwIfAborted();
    await output.commit();
    return result;
  } finally {
    await output.discard();
  }
}

async function copyLayers(
  { model }: Job,
  writer: PrunedOutput,
  host: Host,
  report: (event: PruneEvent) => void,
): Promise<LayerResult[]> {
  const results: LayerResult[] = [];
  const positions = layerPositions(model.spec);
  for (const index of layerIndices(model.spec)) {
    host.signal?.throwIfAborted();
    report({ type: "stage", name: "write", done: index, total: positions.length });
    const start = host.now();
    const { sizes, weights, experts } = await readLayer(model, index);
    await writer.writeLayer(positions[index]!, weights, experts);
    host.collectGarbage();
    const elapsedSeconds = host.now() - start;
    results.push({ index, ...everything(sizes), elapsedSeconds, residentBytes: host.residentBytes() });
  }
  return results;
}

/** What stays of a layer that keeps all that it has. */
function everything(layer: LayerSpec) {
  const { intermediateSize, numAttentionHeads, numKeyValueHeads } = sizesOf(layer);
  const all = (count: number): number[] => [...new Array(count).keys()];
  return {
    kept: all(intermediateSize),
    keptNeurons: intermediateSize,
    totalNeurons: intermediateSize,
    heads: all(numAttentionHeads),
    keyValueHeads: all(numKeyValueHeads),
    keptHeads: numAttentionHeads,
    totalHeads: numAttentionHeads,
    errorBefore: 0,
    errorAfter: 0,
  };
}
