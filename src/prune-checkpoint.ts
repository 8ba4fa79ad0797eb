// The method from beginning to end: plan, calibrate, remove layers, then layer by layer score, cut, recover and write, and
// at last measure and verify. This file alone knows the order; each step lives in the folder of its phase.
import {
  anyLayers,
  cutFigures,
  evenWidths,
  outputSpec,
  perLayerWidths,
  planLayers,
  planPrune,
  targetOf,
} from "./allocation/plan.ts";
import { prepareCalibration } from "./calibration/prepare.ts";
import type { Checkpoint } from "./checkpoint/checkpoint.ts";
import { type FloatDtype, isFloatDtype } from "./checkpoint/dtype.ts";
import type { Output } from "./checkpoint/storage.ts";
import type { Backend } from "./compute/backend.ts";
import { backendGemm } from "./compute/gemm.ts";
import { CompError } from "./errors.ts";
import { evaluateHidden } from "./evaluate/compare-models.ts";
import { verifyOutput } from "./evaluate/verify-output.ts";
import type { LayerResult, PruneEvent, PruneResult, Quality } from "./events.ts";
import { embed, type HiddenBatch } from "./forward/hidden-states.ts";
import { LayerRunner } from "./forward/layer-runner.ts";
import { layers } from "./forward/layer-stream.ts";
import type { Scratch } from "./forward/scratch.ts";
import { addInfluence, type Influence, meanInfluence, noInfluence } from "./importance/block-influence.ts";
import type { Criterion } from "./importance/criterion.ts";
import { type CriterionName, criteria } from "./importance/index.ts";
import type { Gemm } from "./linalg/gemm.ts";
import type { DecoderSpec } from "./model/decoder-spec.ts";
import { withDownBias } from "./model/mlp-bias.ts";
import { type Model, openModel } from "./model/model.ts";
import { ModelWriter } from "./model/model-writer.ts";
import { prunedConfig } from "./model/pruned-config.ts";
import { withZeroBiases } from "./model/read-layer.ts";
import type { TokenWindows } from "./model/token-windows.ts";
import { type CalibrationText, type PruneOptions, parseByteSize } from "./options.ts";
import { keepInfluential } from "./prune/layers.ts";
import { pruneLayer } from "./prune-layer.ts";
import { rankAllLayers } from "./rank-all-layers.ts";
import { writeCompanions, writeReport } from "./report/write-report.ts";
import { senseCosts, senseLoss } from "./sense-loss.ts";
import { senseWeights } from "./sense-weights.ts";
import { takeSensed } from "./sensed.ts";
import { openTokenizer } from "./tokenizer/tokenizer.ts";

/** What the method needs of the machine that it runs on. */
export interface Host {
  readonly backend: Backend;
  /** Called when there is something to write: not by a dry run, and not for what is refused before. */
  createOutput(): Promise<Output>;
  /** Space for what a sweep needs again but must not hold. */
  createScratch(): Scratch;
  /** Free space where the output goes, bytes; undefined when unknown. */
  freeBytes(): Promise<number | undefined>;
  bundledText(): Promise<CalibrationText>;
  /** Weights held in memory while the model writes its own calibration text take no more than this. */
  readonly residentBudgetBytes: number;
  /** Gives back the memory of arrays no longer in use: the matrices of one layer are large, and the next ones must not add to them. */
  collectGarbage(): void;
  residentBytes(): number;
  peakBytes(): number;
  /** A clock in seconds. */
  now(): number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Prunes a checkpoint; events tell the progress, the last one carries the result. A dry run ends after the plan.
 *
 * @param criterion one of one's own, instead of the one that the options name
 */
export async function* pruneCheckpoint(
  source: Checkpoint,
  given: PruneOptions,
  host: Host,
  criterion: Criterion = criteria[given.criterion as CriterionName],
): AsyncGenerator<PruneEvent> {
  const start = host.now();
  checkAllocation(given, criterion);
  const model = await openModel(source);
  const options = withPossibleRecovery(given, model);
  const dtype = outputDtype(model, options);
  const plan = planPrune(model, options, dtype);
  await checkSpace(plan.bytes.after, host);
  yield { type: "plan", ...plan };
  if (options.recovery !== given.recovery) {
    const message = `a ${plan.family} of equal widths has no place for a bias; --recovery ${given.recovery} is left out`;
    yield { type: "warning", message };
  }
  if (options.dryRun) return;

  const tokenizer = await openTokenizer(source);
  const { backend, bundledText, residentBudgetBytes: budgetBytes, signal } = host;
  const request = { backend, model, tokenizer, options, bundledText, budgetBytes, signal };
  const calibration = yield* prepareCalibration(request);
  yield { type: "calibration", ...calibration.summary };
  const { maxPositionEmbeddings } = model.spec;
  if (options.context > maxPositionEmbeddings) {
    const message = `windows of ${options.context} tokens are longer than the ${maxPositionEmbeddings} that the model was made for`;
    yield { type: "warning", message };
  }

  const runner = new LayerRunner(backend, model.spec);
  const sweep: Sweep = {
    runner,
    model,
    calibration,
    options,
    criterion,
    host,
    gemm: backendGemm(backend),
    scratch: host.createScratch(),
  };
  let output: Output | undefined;
  try {
    const keptLayers = yield* chooseLayers(sweep);
    const { widths, orders } = yield* chooseWidths(sweep, keptLayers);
    const spec = outputSpec(model.spec, keptLayers, widths, options);
    output = await host.createOutput();
    const writer = await ModelWriter.create(output, spec, dtype, parseByteSize(options.maxShardSize));
    const { results, quality } = yield* pruneLayers(sweep, keptLayers, { spec, orders }, writer);
    yield { type: "stage", name: "write", done: 0, total: 1 };
    await writer.copyGlobals(model);
    await writer.finish();
    const config = prunedConfig(model.config, model.spec, { keptLayers, widths, bias: spec.bias, dtype });
    const companions = await writeCompanions(output, source, config);
    yield { type: "stage", name: "verify", done: 0, total: 1 };
    await verifyOutput(backend, output, calibration.heldOut, quality.perplexity.after, dtype);
    const { calibration: _, ...recorded } = options;
    const result: PruneResult = {
      ...cutFigures(model, spec, dtype),
      model: source.name,
      fingerprint: await source.fingerprint(),
      family: plan.family,
      output: output.name,
      files: [...writer.files, ...companions],
      options: recorded,
      calibration: calibration.summary,
      layersRemoved: [...model.spec.layers.keys()].filter((index) => !keptLayers.includes(index)),
      layers: results,
      quality,
      seconds: host.now() - start,
      peakBytes: host.peakBytes(),
    };
    await writeReport(output, source, result);
    signal?.throwIfAborted();
    await output.commit();
    yield { type: "done", result };
  } finally {
    await output?.discard();
    await sweep.scratch.clear();
    await runner.release();
  }
}

interface Sweep {
  readonly runner: LayerRunner;
  readonly model: Model;
  readonly calibration: { readonly windows: TokenWindows; readonly heldOut: TokenWindows };
  readonly options: PruneOptions;
  readonly criterion: Criterion;
  readonly host: Host;
  readonly gemm: Gemm;
  readonly scratch: Scratch;
}

/** Coarse stage: the layers that stay, by Block Influence on the calibration windows when only their number is given. */
async function* chooseLayers({
  runner,
  model,
  calibration,
  options,
  host,
}: Sweep): AsyncGenerator<PruneEvent, number[]> {
  const cut = planLayers(model.spec, options);
  if (cut.removed || cut.count === 0) return anyLayers(model.spec, cut);
  const { hiddenSize } = model.spec;
  const states = await embed(model, calibration.windows);
  const influences: number[] = [];
  for await (const { index, layer, weights } of layers(model, host.signal)) {
    yield { type: "stage", name: "layer-importance", done: index, total: model.spec.layers.length };
    const before = states.map(({ hidden }) => hidden.data.slice());
    await runner.forward(layer, weights, states);
    const add = (sum: Influence, { hidden }: HiddenBatch, i: number): Influence =>
      addInfluence(sum, before[i]!, hidden.data, hiddenSize);
    influences.push(meanInfluence(states.reduce(add, noInfluence)));
  }
  return keepInfluential(influences, cut.count);
}

/** How many neurons each kept layer keeps, and which where the allocation ranks them. */
interface Shares {
  readonly widths: readonly number[];
  /** Neurons of each layer of the source in the order of their removal. */
  readonly orders?: readonly Int32Array[] | undefined;
}

/** Settles the shares; the criterion gets what it needs of backward sweeps on the way. */
async function* chooseWidths(sweep: Sweep, keptLayers: readonly number[]): AsyncGenerator<PruneEvent, Shares> {
  const { model, calibration, options, criterion, host } = sweep;
  const target = targetOf(options);
  const even = evenWidths(model.spec, keptLayers, target);
  const { backend, signal } = host;
  const { seed, ridge } = options;
  const request = { ...sweep, backend, windows: calibration.windows, seed, ridge, signal };
  if (criterion.needsWeightSensitivity) yield* senseWeights(request);
  if (options.allocation === "loss") {
    const costs = yield* senseCosts(request);
    return { widths: perLayerWidths(model.spec, keptLayers, costs, target) };
  }
  if (criterion.needsLossCovariance) yield* senseLoss(request);
  if (options.allocation === "even") return { widths: even };
  const removals = yield* rankAllLayers(request);
  const costs = removals.map((removal) => removal.costs);
  return {
    widths: perLayerWidths(model.spec, keptLayers, costs, target),
    orders: removals.map(({ order }) => order),
  };
}

/**
 * Fine stage: one sweep over the layers. Each is scored, cut and recovered on what the pruned layers before it produce;
 * held-out windows travel along through the dense and the pruned model, and tell the quality at the end.
 */
async function* pruneLayers(
  sweep: Sweep,
  keptLayers: readonly number[],
  { spec, orders }: { readonly spec: DecoderSpec } & Pick<Shares, "orders">,
  writer: ModelWriter,
): AsyncGenerator<PruneEvent, { results: LayerResult[]; quality: Quality }> {
  const { runner, model, calibration, criterion, host, scratch } = sweep;
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
    const position = results.length;
    const width = spec.layers[position]!.intermediateSize;
    const order = orders?.[index];
    const sensed = order || width === layer.intermediateSize ? {} : await takeSensed(scratch, index, criterion);
    await runner.attention(layer, weights, [...states, ...heldOut]);
    const { collectGarbage } = host;
    collectGarbage();
    const { weights: cutWeights, ...cut } = await pruneLayer(streamed, {
      ...sweep,
      width,
      states,
      sensed,
      order,
      collectGarbage,
    });
    const pruned = withZeroBiases(cutWeights, spec, position);
    await runner.mlp({ ...layer, intermediateSize: width }, pruned, [...states, ...heldOut]);
    await writer.writeLayer(position, pruned);
    results.push({ index, ...cut, elapsedSeconds: host.now() - start, residentBytes: host.residentBytes() });
    const { kept: _, ...progress } = results.at(-1)!;
    yield { type: "layer", ...progress };
  }
  return { results, quality: await measureQuality(sweep, heldOut, denseHeldOut) };
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

/** @throws {CompError} "option" when the criterion has no scores that the allocation could compare */
function checkAllocation({ allocation }: PruneOptions, criterion: Criterion): void {
  if (allocation !== "global" || criterion.oneShot) return;
  const able = Object.values(criteria).filter(({ oneShot }) => oneShot);
  throw new CompError("option", `--allocation global does not go with --criterion ${criterion.name}`, {
    hint: `it needs neurons scored one by one: ${able.map(({ name }) => name).join(", ")}`,
  });
}

/** No recovery instead of a bias for which the output has no place. */
function withPossibleRecovery(options: PruneOptions, { spec }: Model): PruneOptions {
  const hasPlace = options.recovery !== "bias" || withDownBias(spec, options.widths === "per-layer") !== undefined;
  return hasPlace ? options : { ...options, recovery: "none" };
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
