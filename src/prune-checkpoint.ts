// The method from beginning to end: plan, calibrate, remove layers, then layer by layer score, cut, recover and write, and
// at last measure and verify. This file alone knows the order; each step lives in the folder of its phase.
import { cutsHeads } from "./allocation/heads.ts";
import {
  anyLayers,
  cutFigures,
  equalSpec,
  perLayerSpec,
  planLayers,
  planPrune,
  withOutputBias,
} from "./allocation/plan.ts";
import { prepareCalibration } from "./calibration/prepare.ts";
import type { Checkpoint } from "./checkpoint/checkpoint.ts";
import type { Output } from "./checkpoint/storage.ts";
import type { Backend } from "./compute/backend.ts";
import { backendGemm } from "./compute/gemm.ts";
import { CompError } from "./errors.ts";
import { evaluateHidden } from "./evaluate/compare-models.ts";
import { verifyOutput } from "./evaluate/verify-output.ts";
import type { LayerResult, PruneEvent, PruneResult, Quality } from "./events.ts";
import { embed, type HiddenBatch, type HiddenStates } from "./forward/hidden-states.ts";
import { LayerRunner } from "./forward/layer-runner.ts";
import { layers, type StreamedLayer } from "./forward/layer-stream.ts";
import type { Scratch } from "./forward/scratch.ts";
import { embedOrSpill } from "./forward/spilled-states.ts";
import { addInfluence, type Influence, meanInfluence, noInfluence } from "./importance/block-influence.ts";
import type { Criterion } from "./importance/criterion.ts";
import { type CriterionName, criteria } from "./importance/index.ts";
import type { Gemm } from "./linalg/gemm.ts";
import type { DecoderSpec, LayerSpec } from "./model/decoder-spec.ts";
import { withDownBias } from "./model/mlp-bias.ts";
import { type Model, openModel } from "./model/model.ts";
import {
  checkForm,
  codeNeeded,
  layersOption,
  type OutputForm,
  omissionOf,
  outputForm,
  widthsOption,
} from "./model/output-form.ts";
import { withZeroBiases } from "./model/read-layer.ts";
import type { TokenWindows } from "./model/token-windows.ts";
import type { CalibrationText, PruneOptions } from "./options.ts";
import { keepInfluential } from "./prune/layers.ts";
import { headCostsOf, type PrunedAttention, pruneAttention } from "./prune-attention.ts";
import { type PrunedLayer, pruneLayer } from "./prune-layer.ts";
import { createPrunedOutput, type PrunedOutput } from "./pruned-output.ts";
import { rankAllLayers } from "./rank-all-layers.ts";
import { recoveries } from "./recover/index.ts";
import { headCovarianceKey, senseCosts, senseLoss } from "./sense-loss.ts";
import { senseWeights } from "./sense-weights.ts";
import { takeSensed } from "./sensed.ts";
import { openTokenizer } from "./tokenizer/tokenizer.ts";

/** What the method needs of the machine that it runs on. */
export interface Host {
  readonly backend: Backend;
  /** Of what is to be written: a folder of safetensors, or a GGUF file. */
  readonly outputFormat: Checkpoint["format"];
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
  const form = outputForm(model, given, host.outputFormat);
  const carried = { layers: layersOption(model.spec, given, form), ...widthsOption(model.spec, given, form) };
  const options = withPossibleRecovery({ ...given, ...carried }, model);
  if (cutsHeads(options)) headCostsOf(criterion);
  const plan = planPrune(model, options, form);
  const warnings = await checkOutput(model, options, form);
  await checkSpace(plan.bytes.after, host);
  yield { type: "plan", ...plan };
  for (const message of warnings) yield { type: "warning", message };
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
    const { sizes, orders } = yield* chooseSizes(sweep, keptLayers);
    const spec = withOutputBias(sizes, options);
    output = await host.createOutput();
    const decisions = { options, calibration: calibration.summary, keptLayers };
    const writer = await createPrunedOutput({ output, model, spec, form, ...decisions });
    const { results, quality } = yield* pruneLayers(sweep, keptLayers, { spec, orders }, writer);
    yield { type: "stage", name: "write", done: 0, total: 1 };
    const files = await writer.finish();
    yield { type: "stage", name: "verify", done: 0, total: 1 };
    const expected = { windows: calibration.heldOut, perplexity: quality.perplexity.after, tokenizer };
    await verifyOutput(backend, output, expected, form);
    const { calibration: _, ...recorded } = options;
    const result: PruneResult = {
      ...cutFigures(model, spec, form),
      model: source.name,
      fingerprint: await source.fingerprint(),
      family: plan.family,
      output: output.name,
      files,
      options: recorded,
      calibration: calibration.summary,
      layersRemoved: [...model.spec.layers.keys()].filter((index) => !keptLayers.includes(index)),
      layers: results,
      quality,
      seconds: host.now() - start,
      peakBytes: host.peakBytes(),
    };
    await writer.report(result);
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

/** What each kept layer keeps, and which neurons go where the allocation has ranked them. */
interface Shares {
  /** The pruned model. */
  readonly sizes: DecoderSpec;
  /** Neurons of each layer of the source in the order of their removal. */
  readonly orders?: readonly Int32Array[] | undefined;
}

/** Settles the shares; criterion and recovery get what they need of backward sweeps on the way. */
async function* chooseSizes(sweep: Sweep, keptLayers: readonly number[]): AsyncGenerator<PruneEvent, Shares> {
  const { model, calibration, options, criterion, host } = sweep;
  const { backend, signal } = host;
  const { seed, ridge } = options;
  const heads = weighsHeads(options);
  const request = { ...sweep, backend, windows: calibration.windows, heads, seed, ridge, signal };
  if (criterion.needsWeightSensitivity) yield* senseWeights(request);
  if (options.allocation === "loss") {
    const costs = yield* senseCosts(request);
    return { sizes: perLayerSpec(model.spec, keptLayers, costs, options) };
  }
  if (needsLossCovariance(sweep)) yield* senseLoss(request);
  if (options.allocation === "even") return { sizes: equalSpec(model.spec, keptLayers, options) };
  const removals = yield* rankAllLayers(request);
  const costs = removals.map((removal) => removal.costs);
  const orders = removals.map(({ order }) => order);
  return { sizes: perLayerSpec(model.spec, keptLayers, costs, options), orders };
}

/**
 * Fine stage: one sweep over the layers. Each is scored, cut and recovered on what the pruned layers before it produce;
 * held-out windows travel along through the dense and the pruned model, and tell the quality at the end.
 */
async function* pruneLayers(
  sweep: Sweep,
  keptLayers: readonly number[],
  { spec, orders }: Pick<Shares, "orders"> & { readonly spec: DecoderSpec },
  writer: PrunedOutput,
): AsyncGenerator<PruneEvent, { results: LayerResult[]; quality: Quality }> {
  const { runner, model, calibration, options, host, scratch } = sweep;
  const { towardsDense = false } = recoveries[options.recovery];
  const calibrated = await embedOrSpill(model, calibration.windows, scratch, "pruned states");
  const dense = towardsDense ? await embedOrSpill(model, calibration.windows, scratch, "dense states") : undefined;
  const heldOut = await embed(model, calibration.heldOut);
  const denseHeldOut = await embed(model, calibration.heldOut);
  const results: LayerResult[] = [];
  for await (const streamed of layers(model, host.signal)) {
    const { index, layer, weights } = streamed;
    yield { type: "stage", name: "prune", done: index, total: model.spec.layers.length };
    const start = host.now();
    await runner.forward(layer, weights, denseHeldOut);
    if (!keptLayers.includes(index)) {
      if (dense) await runner.forward(layer, weights, dense);
      continue;
    }
    const position = results.length;
    const own = spec.layers[position]!;
    const streams = { calibrated, dense, heldOut };
    const { weights: cutWeights, ...cut } = await cutLayer(sweep, streamed, own, streams, orders?.[index]);
    await writer.writeLayer(position, withZeroBiases(cutWeights, spec, position));
    results.push({ index, ...cut, elapsedSeconds: host.now() - start, residentBytes: host.residentBytes() });
    const { kept, heads, keyValueHeads, ...progress } = results.at(-1)!;
    yield { type: "layer", ...progress };
  }
  return { results, quality: await measureQuality(sweep, heldOut, denseHeldOut) };
}

/** Whether the backward sweep has to look at o_proj too. */
const weighsHeads = (options: PruneOptions): boolean =>
  cutsHeads(options) || recoveries[options.recovery].towardsDense === true;

/** Whether what the loss feels decides about what goes, or about what is made up for. */
const needsLossCovariance = ({ criterion, options }: Sweep): boolean =>
  criterion.needsLossCovariance === true || recoveries[options.recovery].towardsDense === true;

/** The hidden states that travel along. */
interface Streams {
  /** Of the calibration windows, through the pruned layers. */
  readonly calibrated: HiddenStates;
  /** Of the calibration windows, through the dense layers; for a recovery that aims at them. */
  readonly dense: HiddenStates | undefined;
  /** Of the held-out windows, through the pruned layers. */
  readonly heldOut: readonly HiddenBatch[];
}

/** Cuts a layer to `own` sizes, first its attention, then its MLP, and sends all states through what is left. */
async function cutLayer(
  sweep: Sweep,
  streamed: StreamedLayer,
  own: LayerSpec,
  { calibrated, dense, heldOut }: Streams,
  order: Int32Array | undefined,
): Promise<PrunedLayer & PrunedAttention["record"]> {
  const { runner, gemm, calibration, options, criterion, host, scratch } = sweep;
  const { index, layer, weights } = streamed;
  const { collectGarbage } = host;
  const tokenCount = calibration.windows.ids.length;
  const job = { runner, gemm, options, criterion, states: calibrated, target: dense, tokenCount, collectGarbage };
  const needs = {
    needsLossCovariance: needsLossCovariance(sweep),
    needsWeightSensitivity: criterion.needsWeightSensitivity === true && order === undefined,
  };
  if (dense) await runner.attention(layer, weights, dense);
  const feltAtHeads = needs.needsLossCovariance && weighsHeads(options);
  const lossCovariance = feltAtHeads ? await scratch.take(headCovarianceKey(index)) : undefined;
  const attention = await pruneAttention(streamed, own, { ...job, lossCovariance });
  for (const states of [calibrated, heldOut]) await runner.attention(own, attention.weights, states);
  if (dense) await runner.mlp(layer, weights, dense);
  collectGarbage();
  const sensed = await takeSensed(scratch, index, needs);
  const pruned = await pruneLayer(attention, { ...job, width: own.intermediateSize, sensed, order });
  for (const states of [calibrated, heldOut]) await runner.mlp(own, pruned.weights, states);
  return { ...pruned, ...attention.record };
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

/**
 * Refuses an output that cannot hold the result, as far as it is known: calibration may have to tell which layers go.
 * Returns warnings of what the output lacks.
 */
async function checkOutput(model: Model, options: PruneOptions, form: OutputForm): Promise<string[]> {
  const { spec } = model;
  const cut = planLayers(spec, options);
  const kept = anyLayers(spec, cut);
  const known = cut.removed === undefined ? [...spec.layers.keys()] : kept;
  const after = equalSpec(spec, kept, options, known);
  await checkForm(model, after, form, options.widths === "per-layer");
  return [omissionOf(spec, form), codeNeeded(after, form)].filter((message) => message !== undefined);
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

async function checkSpace(needed: number, host: Host): Promise<void> {
  const free = await host.freeBytes();
  if (free === undefined || free > needed) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
  throw new CompError("output", `the result takes ${gigabytes(needed)}, the disk has ${gigabytes(free)} left`, {
    hint: "free some space, or choose another disk with --output",
  });
}
