// The method from beginning to end: plan, calibrate, remove layers, then layer by layer score, cut, recover and write, and
// at last measure and verify. This file alone knows the order; each step lives in the folder of its phase.
import { anyLayers, planLayers, planPrune, targetOf } from "./allocation/plan.ts";
import { uniformWidth, withWidth } from "./allocation/uniform.ts";
import { prepareCalibration } from "./calibration/prepare.ts";
import { createRandom } from "./calibration/random.ts";
import type { Checkpoint } from "./checkpoint/checkpoint.ts";
import type { FloatDtype } from "./checkpoint/dtype.ts";
import { isFloatDtype } from "./checkpoint/dtype.ts";
import type { Output } from "./checkpoint/storage.ts";
import type { Backend } from "./compute/backend.ts";
import { backendGemm } from "./compute/gemm.ts";
import { CompError } from "./errors.ts";
import { evaluateHidden } from "./evaluate/compare-models.ts";
import { verifyOutput } from "./evaluate/verify-output.ts";
import type { LayerResult, PruneEvent, PruneResult, Quality } from "./events.ts";
import { embed, type HiddenBatch } from "./forward/hidden-states.ts";
import { LayerRunner } from "./forward/layer-runner.ts";
import { layers, type StreamedLayer } from "./forward/layer-stream.ts";
import { addInfluence, meanInfluence, noInfluence } from "./importance/block-influence.ts";
import { criteria } from "./importance/index.ts";
import type { Gemm } from "./linalg/gemm.ts";
import { type Model, openModel } from "./model/model.ts";
import { ModelWriter } from "./model/model-writer.ts";
import { prunedConfig, renderConfig } from "./model/pruned-config.ts";
import type { LayerWeights } from "./model/read-layer.ts";
import type { TokenWindows } from "./model/token-windows.ts";
import { type CalibrationText, type PruneOptions, parseByteSize } from "./options.ts";
import { keepInfluential } from "./prune/layers.ts";
import { pruneNeurons } from "./prune/neurons.ts";
import { recoveries } from "./recover/index.ts";
import { layerError } from "./recover/layer-error.ts";
import { writeCompanions, writeReport } from "./report/write-report.ts";
import { openTokenizer } from "./tokenizer/tokenizer.ts";

/** What the method needs of the machine that it runs on. */
export interface Host {
  readonly backend: Backend;
  /** Called when there is something to write: not by a dry run, and not for what is refused before. */
  createOutput(): Promise<Output>;
  /** Free space where the output goes, bytes; undefined when unknown. */
  freeBytes(): Promise<number | undefined>;
  bundledText(): Promise<CalibrationText>;
  /** Weights held in memory while the model writes its own calibration text take no more than this. */
  readonly residentBudgetBytes: number;
  residentBytes(): number;
  peakBytes(): number;
  /** A clock in seconds. */
  now(): number;
  readonly signal?: AbortSignal | undefined;
}

/** Prunes a checkpoint; events tell the progress, the last one carries the result. A dry run ends after the plan. */
export async function* pruneCheckpoint(
  source: Checkpoint,
  options: PruneOptions,
  host: Host,
): AsyncGenerator<PruneEvent> {
  const start = host.now();
  const model = await openModel(source);
  const dtype = outputDtype(model, options);
  const plan = planPrune(model, options, dtype);
  await checkSpace(plan.bytes.after, host);
  yield { type: "plan", ...plan };
  if (options.dryRun) return;

  const tokenizer = await openTokenizer(source);
  const { backend, signal } = host;
  const request = {
    backend,
    model,
    tokenizer,
    options,
    bundledText: host.bundledText,
    budgetBytes: host.residentBudgetBytes,
    signal,
  };
  const calibration = yield* prepareCalibration(request);
  yield { type: "calibration", ...calibration.summary };

  const runner = new LayerRunner(backend, model.spec);
  const keptLayers = yield* chooseLayers(runner, model, calibration.windows, options, signal);
  const intermediateSize = uniformWidth(model.spec, keptLayers, targetOf(options));
  const output = await host.createOutput();
  try {
    const spec = withWidth(model.spec, keptLayers, intermediateSize);
    const writer = await ModelWriter.create(output, spec, dtype, parseByteSize(options.maxShardSize));
    const sweep: Sweep = {
      runner,
      model,
      keptLayers,
      intermediateSize,
      calibration,
      options,
      host,
      gemm: backendGemm(backend),
      writer,
    };
    const { results, quality } = yield* pruneLayers(sweep);
    yield { type: "stage", name: "write", done: 0, total: 1 };
    await writer.copyGlobals(model);
    await writer.finish();
    const config = renderConfig(prunedConfig(model.config, model.spec, { keptLayers, intermediateSize, dtype }));
    const companions = await writeCompanions(output, source, config);
    yield { type: "stage", name: "verify", done: 0, total: 1 };
    await verifyOutput(backend, output, calibration.heldOut, quality.perplexity.after, dtype);
    const { calibration: _, ...recorded } = options;
    const result: PruneResult = {
      model: source.name,
      fingerprint: await source.fingerprint(),
      family: plan.family,
      output: output.name,
      files: [...writer.files, ...companions],
      options: recorded,
      calibration: calibration.summary,
      layersRemoved: [...model.spec.layers.keys()].filter((index) => !keptLayers.includes(index)),
      layers: results,
      parameters: plan.parameters,
      decoderParameters: plan.decoderParameters,
      bytes: plan.bytes,
      intermediateSize: plan.intermediateSize,
      sparsity: plan.sparsity,
      quality,
      seconds: host.now() - start,
      peakBytes: host.peakBytes(),
    };
    await writeReport(output, source, result);
    signal?.throwIfAborted();
    await output.commit();
    yield { type: "done", result };
  } finally {
    await output.discard();
    await runner.release();
  }
}

/** Coarse stage: the layers that stay, by Block Influence on the calibration windows when only their number is given. */
async function* chooseLayers(
  runner: LayerRunner,
  model: Model,
  windows: TokenWindows,
  options: PruneOptions,
  signal?: AbortSignal,
): AsyncGenerator<PruneEvent, number[]> {
  const cut = planLayers(model.spec, options);
  if (cut.removed || cut.count === 0) return anyLayers(model.spec, cut);
  const states = await embed(model, windows);
  const influences: number[] = [];
  for await (const { index, layer, weights } of layers(model, signal)) {
    yield { type: "stage", name: "layer-importance", done: index, total: model.spec.layers.length };
    const before = states.map(({ hidden }) => hidden.data.slice());
    await runner.forward(layer, weights, states);
    const influence = states.reduce(
      (sum, { hidden }, i) => addInfluence(sum, before[i]!, hidden.data, model.spec.hiddenSize),
      noInfluence,
    );
    influences.push(meanInfluence(influence));
  }
  return keepInfluential(influences, cut.count);
}

interface Sweep {
  readonly runner: LayerRunner;
  readonly model: Model;
  readonly keptLayers: readonly number[];
  readonly intermediateSize: number;
  readonly calibration: { readonly windows: TokenWindows; readonly heldOut: TokenWindows };
  readonly options: PruneOptions;
  readonly host: Host;
  readonly gemm: Gemm;
  readonly writer: ModelWriter;
}

/**
 * Fine stage: one sweep over the layers. Each is scored, cut and recovered on what the pruned layers before it produce;
 * held-out windows travel along through the dense and the pruned model, and tell the quality at the end.
 */
async function* pruneLayers(sweep: Sweep): AsyncGenerator<PruneEvent, { results: LayerResult[]; quality: Quality }> {
  const { runner, model, keptLayers, calibration, host, writer } = sweep;
  const states = await embed(model, calibration.windows);
  const heldOut = await embed(model, calibration.heldOut);
  const denseHeldOut = await embed(model, calibration.heldOut);
  const results: LayerResult[] = [];
  for await (const streamed of layers(model, host.signal)) {
    const { index, layer, weights } = streamed;
    yield { type: "stage", name: "prune", done: index, total: model.spec.layers.length };
    const start = host.now();
    await runner.forward(layer, weights, denseHeldOut);
    if (!keptLayers.includes(index)) continue;
    await runner.attention(layer, weights, [...states, ...heldOut]);
    const { pruned, ...cut } = await pruneLayer(sweep, streamed, states);
    await runner.mlp({ ...layer, intermediateSize: sweep.intermediateSize }, pruned, [...states, ...heldOut]);
    await writer.writeLayer(results.length, pruned);
    const result = { index, ...cut, elapsedSeconds: host.now() - start, residentBytes: host.residentBytes() };
    results.push(result);
    const { kept: _, ...progress } = result;
    yield { type: "layer", ...progress };
  }
  return { results, quality: await measureQuality(sweep, heldOut, denseHeldOut) };
}

interface LayerCut extends Pick<LayerResult, "kept" | "keptNeurons" | "totalNeurons" | "errorBefore" | "errorAfter"> {
  readonly pruned: LayerWeights;
}

/** Statistics → ranking → kept neurons → recovered weights, of one layer's MLP. */
async function pruneLayer(
  { runner, model, intermediateSize, options, gemm }: Sweep,
  streamed: StreamedLayer,
  states: readonly HiddenBatch[],
): Promise<LayerCut> {
  const { index, layer, weights } = streamed;
  const { hiddenSize } = model.spec;
  const totalNeurons = layer.intermediateSize;
  const counts = { keptNeurons: intermediateSize, totalNeurons };
  if (intermediateSize === totalNeurons) {
    return { pruned: weights, kept: [...new Array(totalNeurons).keys()], ...counts, errorBefore: 0, errorAfter: 0 };
  }
  const sums = await runner.neuronSums(layer, weights, states);
  const tokenCount = states.reduce((total, { batch, length }) => total + batch * length, 0);
  const statistics = { gram: sums.gram.data, mean: sums.total.data.map((total) => total / tokenCount), tokenCount };
  const downProj = weights.downProj!.data;
  const mlp = {
    gateProj: weights.gateProj!.data,
    upProj: weights.upProj!.data,
    downProj,
    hiddenSize,
    intermediateSize: totalNeurons,
  };
  const random = createRandom(options.seed + index);
  const { order } = await criteria[options.criterion].rank(mlp, statistics, totalNeurons - intermediateSize, {
    gemm,
    random: random.nextFloat,
  });
  const removed = new Set(order);
  const kept = Int32Array.from(new Array(totalNeurons).keys()).filter((neuron) => !removed.has(neuron));
  const recovered = await recoveries[options.recovery].recover(
    { ...statistics, downProj, hiddenSize, kept, ridge: options.ridge },
    { gemm },
  );
  const cutOnly = await recoveries.none.recover({ ...statistics, downProj, hiddenSize, kept }, { gemm });
  return {
    pruned: pruneNeurons(weights, kept, recovered.downProj),
    kept: [...kept],
    ...counts,
    errorBefore: await layerError(gemm, statistics.gram, downProj, kept, cutOnly.downProj),
    errorAfter: await layerError(gemm, statistics.gram, downProj, kept, recovered.downProj),
  };
}

async function measureQuality(
  { runner, model, calibration }: Sweep,
  states: readonly HiddenBatch[],
  denseStates: readonly HiddenBatch[],
): Promise<Quality> {
  const { perplexity, tokens, comparison } = await evaluateHidden(
    runner.programs,
    model,
    calibration.heldOut,
    states,
    denseStates,
  );
  const { densePerplexity, klDivergence, topOneAgreement } = comparison!;
  return {
    on: "held-out calibration windows",
    tokens,
    perplexity: { before: densePerplexity, after: perplexity },
    klDivergence,
    topOneAgreement,
  };
}

/** The type to write: as asked, else the source's; a quantized source becomes f16. */
function outputDtype(model: Model, { dtype }: PruneOptions): FloatDtype {
  if (dtype !== "auto") return dtype.toUpperCase() as FloatDtype;
  const found = [...model.tensors.values()].filter(({ shape }) => shape.length > 1).map((tensor) => tensor.dtype);
  if (!found.every(isFloatDtype)) return "F16";
  return found[0] as FloatDtype;
}

async function checkSpace(needed: number, host: Host): Promise<void> {
  const free = await host.freeBytes();
  if (free === undefined || free > needed) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
  throw new CompError("output", `the result takes ${gigabytes(needed)}, the disk has ${gigabytes(free)} left`, {
    hint: "free some space, or choose another disk with --output",
  });
}
