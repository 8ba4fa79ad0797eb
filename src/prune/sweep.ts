// The fine stage: one sweep over the layers, each scored, cut and recovered on what the pruned layers before it produce.
import { evaluateHidden } from "../evaluate/compare-models.ts";
import type { Quality } from "../events/common.ts";
import type { LayerResult, PruneEvent } from "../events/prune.ts";
import { embed, type HiddenBatch, type HiddenStates } from "../forward/run/hidden-states.ts";
import type { LayerRunner } from "../forward/run/layer-runner.ts";
import { layers, type StreamedLayer } from "../forward/run/layer-stream.ts";
import { project } from "../forward/run/project.ts";
import { embedOrSpill } from "../forward/run/spilled-states.ts";
import { aimsAtDense, needsLossCovariance, type Sweep, scalesTokens, weighsHeads } from "../method/sweep.ts";
import { type LayerWeights, withZeroBiases } from "../model/read-layer.ts";
import type { DecoderSpec, LayerSpec } from "../model/spec/decoder-spec.ts";
import { countParameters } from "../model/spec/parameters.ts";
import type { Half } from "../model/spec/tensor-names.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import type { Decision } from "../sensitivity/evidence.ts";
import { readSensed, type SensedNeeds } from "../sensitivity/sensed.ts";
import { type PrunedAttention, pruneAttention } from "./attention.ts";
import { type LayerJob, type PrunedLayer, pruneLayer } from "./sublayer.ts";

/** Where the finished layers go; `position` counts those that stay. */
export type LayerSink = (position: number, weights: LayerWeights) => Promise<void>;

export interface PrunedLayers {
  readonly results: readonly LayerResult[];
  /** What each neuron's removal cost, per kept layer, in the criterion's unit; empty where neurons had been ranked before. */
  readonly costs: readonly Float64Array[];
  readonly quality: Quality;
}

/** Dense states after the last layer, of held-out windows that an earlier sweep, a trial mostly, has brought there. */
const denseOutcomes = new WeakMap<TokenWindows, readonly HiddenBatch[]>();

/**
 * Prunes by a decision and measures the result: held-out windows travel along through the dense and the pruned model.
 *
 * @param write takes the pruned layers; without it the sweep is a trial
 */
export async function* pruneLayers(
  sweep: Sweep,
  { keptLayers, spec, orders }: Decision,
  write: LayerSink = async () => undefined,
): AsyncGenerator<PruneEvent, PrunedLayers> {
  const { runner, model, calibration, host, scratch } = sweep;
  const calibrated = await embedOrSpill(model, calibration.windows, scratch, "pruned states");
  const dense =
    aimsAtDense(sweep) && isCut(sweep.model.spec, spec)
      ? await embedOrSpill(model, calibration.windows, scratch, "dense states")
      : undefined;
  const heldOut = await embed(model, calibration.heldOut);
  const knownHeldOut = denseOutcomes.get(calibration.heldOut);
  const denseHeldOut = knownHeldOut ?? (await embed(model, calibration.heldOut));
  const results: LayerResult[] = [];
  const layerCosts: Float64Array[] = [];
  for await (const streamed of layers(model, host.signal)) {
    const { index, layer, weights } = streamed;
    yield { type: "stage", name: "prune", done: index, total: model.spec.layers.length };
    const start = host.now();
    if (!knownHeldOut) await runner.forward(layer, weights, denseHeldOut);
    if (!keptLayers.includes(index)) {
      if (dense) await runner.forward(layer, weights, dense);
      continue;
    }
    const position = results.length;
    const own = spec.layers[position]!;
    const streams = { calibrated, dense, heldOut };
    const { weights: cutWeights, costs, ...cut } = await cutLayer(sweep, streamed, own, streams, orders?.[index]);
    await write(position, withZeroBiases(cutWeights, spec, position));
    layerCosts.push(costs);
    results.push({ index, ...cut, elapsedSeconds: host.now() - start, residentBytes: host.residentBytes() });
    const { kept, heads, keyValueHeads, ...progress } = results.at(-1)!;
    yield { type: "layer", ...progress };
  }
  denseOutcomes.set(calibration.heldOut, denseHeldOut);
  return { results, costs: layerCosts, quality: await measureQuality(sweep, heldOut, denseHeldOut) };
}

/** Whether anything goes; where nothing does there is nothing to make up for. */
const isCut = (before: DecoderSpec, after: DecoderSpec): boolean =>
  countParameters(after).total < countParameters(before).total;

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
  streams: Streams,
  order: Int32Array | undefined,
): Promise<Omit<PrunedLayer, "inputs"> & PrunedAttention["record"]> {
  const { runner, scratch, host } = sweep;
  const { record, ...attention } = await cutAttention(sweep, streamed, own, streams);
  if (streams.dense) await runner.mlp(streamed.layer, streamed.weights, streams.dense);
  host.collectGarbage();
  const sensed = await readSensed(scratch, streamed.index, "mlp", neededOf(sweep));
  const job = { ...jobOf(sweep, streams), width: own.intermediateSize, sensed, order };
  const { inputs, ...pruned } = await pruneLayer(attention, job);
  await sendThrough(runner, "mlp", own, { ...pruned, inputs }, streams);
  return { ...pruned, ...record };
}

async function cutAttention(
  sweep: Sweep,
  streamed: StreamedLayer,
  own: LayerSpec,
  streams: Streams,
): Promise<Omit<PrunedAttention, "inputs">> {
  const { runner, scratch } = sweep;
  const { index, layer, weights } = streamed;
  if (streams.dense) await runner.attention(layer, weights, streams.dense);
  const needs = weighsHeads(sweep) && layer.numAttentionHeads > 0 ? neededOf(sweep) : {};
  const sensed = await readSensed(scratch, index, "attention", needs);
  const { inputs, ...pruned } = await pruneAttention(streamed, own, { ...jobOf(sweep, streams), sensed });
  await sendThrough(runner, "attention", own, { ...pruned, inputs }, streams);
  return pruned;
}

/** What both halves of a layer are cut by. */
function jobOf(sweep: Sweep, { calibrated, dense }: Streams): Omit<LayerJob, "width" | "sensed" | "order"> {
  const { runner, gemm, calibration, options, criterion, choosesRidge, host } = sweep;
  const tokenCount = calibration.windows.ids.length;
  const states = { states: calibrated, target: dense, scaled: scalesTokens(sweep), tokenCount, choosesRidge };
  return { ...states, runner, gemm, options, criterion, collectGarbage: host.collectGarbage };
}

/** What backward sweeps have found of a half, as far as it is needed. */
const neededOf = (sweep: Sweep): SensedNeeds => ({
  needsLossCovariance: needsLossCovariance(sweep),
  needsWeightSensitivity: sweep.criterion.needsWeightSensitivity === true,
});

/** Sends states through a half that is cut; those whose way to its projection is known go on from there. */
async function sendThrough(
  runner: LayerRunner,
  half: Half,
  own: LayerSpec,
  { weights, inputs }: Pick<PrunedLayer, "weights" | "inputs">,
  { calibrated, heldOut }: Streams,
): Promise<void> {
  await runner[half](own, weights, heldOut);
  await (inputs ? project(runner, half, weights, inputs, calibrated) : runner[half](own, weights, calibrated));
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
