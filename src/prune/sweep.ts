// The fine stage: one sweep over the layers, each cut and recovered on what the pruned layers before it produce.
import type { Decision } from "../allocation/decide.ts";
import { ReusedTensors } from "../compute/reused-tensor.ts";
import type { Judge } from "../evaluate/judge.ts";
import type { Quality } from "../events/common.ts";
import type { LayerResult } from "../events/prune.ts";
import { embed, embedOrSpill } from "../forward/run/embed.ts";
import type { HiddenStates, ResidentStates } from "../forward/run/hidden-states.ts";
import type { LayerRunner } from "../forward/run/layer-runner.ts";
import type { Method } from "../method/method.ts";
import type { Model } from "../model/model.ts";
import { type DecoderLayer, type Experts, type LayerWeights, readLayer, withZeroBiases } from "../model/read-layer.ts";
import { type LayerIndex, type LayerPosition, layerIndices } from "../model/spec/layer-index.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { type LayerSizes, type LayerSpec, mixtureOf, sizesOf } from "../model/spec/parts.ts";
import type { Sublayer } from "../model/spec/roles.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import type { RunContext } from "../run-context.ts";
import { pruneMixture } from "./experts.ts";
import { type HeadChoice, headCut } from "./heads.ts";
import { neuronCut } from "./neurons.ts";
import {
  type Choice,
  type PrunedSublayer,
  pruneSublayer,
  type SublayerRequest,
  type SublayerSensitivity,
} from "./sublayer.ts";

/** What a sweep works on. */
export interface Sweep {
  readonly model: Model;
  readonly runner: LayerRunner;
  readonly method: Method;
  /** Calibration windows. */
  readonly windows: TokenWindows;
  readonly judge: Judge;
  readonly sensitivities: Sensitivities;
}

/** What backward sweeps have found of each layer of the source, where the method needs it. */
export type Sensitivities = ReadonlyMap<LayerIndex, Readonly<Partial<Record<Sublayer, SublayerSensitivity>>>>;

/** Where the finished layers go. */
export type LayerSink = (position: LayerPosition, weights: LayerWeights, experts?: Experts) => Promise<void>;

/** What is known of the layers that are finished. */
interface FinishedLayers {
  readonly results: readonly LayerResult[];
  /** What each neuron's removal cost, per kept layer, in the criterion's unit; empty where neurons had been ranked before. */
  readonly costs: readonly Float64Array[];
}

export interface PrunedLayers extends FinishedLayers {
  readonly quality: Quality;
}

/** Where a sweep stands. */
export interface SweepStand extends FinishedLayers {
  /** The layer that comes next: so many of the source's are done with. */
  readonly next: number;
}

/** How a sweep goes on where another by the same decision was broken off, to the same bits. */
export interface SweepCourse {
  readonly from?: (SweepStand & { restore(states: SweepStates): Promise<void> }) | undefined;
  /** Is shown the stand behind each layer that stays, once it is written. */
  readonly keep?: ((stand: SweepStand, states: SweepStates) => Promise<void>) | undefined;
}

/**
 * Prunes by a decision and measures the result: held-out windows travel along through the pruned model.
 *
 * @param write takes the pruned layers; without it the sweep is a trial
 * @param course how it goes on with another's work, and how others can with its own
 */
export async function pruneLayers(
  run: RunContext,
  sweep: Sweep,
  decision: Decision,
  write: LayerSink = async () => undefined,
  { from, keep }: SweepCourse = {},
): Promise<PrunedLayers> {
  const { model, runner, judge } = sweep;
  await judge.meetDense(run, runner, model);
  const states = await startStates(run, sweep, decision);
  await from?.restore(states);
  const [results, costs] = [[...(from?.results ?? [])], [...(from?.costs ?? [])]];
  for (const index of layerIndices(model.spec).slice(from?.next ?? 0)) {
    run.signal?.throwIfAborted();
    run.report({ type: "stage", name: "prune", done: index, total: model.spec.layers.length });
    const start = run.now();
    const layer = await readLayer(model, index);
    const position = decision.keptLayers.indexOf(index) as LayerPosition;
    if (position < 0) {
      if (states.dense) await runner.layer(layer, states.dense);
      continue;
    }
    const sizes = sizesOf(decision.spec.layers[position]!);
    const cut = { index, dense: layer, layer, sizes, order: decision.orders?.[index] };
    const pruned = await pruneLayer(run, sweep, states, cut);
    await write(position, withZeroBiases(pruned.weights, decision.spec, position), pruned.experts);
    await pruned.experts?.release?.();
    costs.push(pruned.costs);
    results.push({ index, ...pruned.record, elapsedSeconds: run.now() - start, residentBytes: run.residentBytes() });
    const { kept, heads, keyValueHeads, ...progress } = results.at(-1)!;
    run.report({ type: "layer", ...progress });
    await keep?.({ next: index + 1, results: [...results], costs: [...costs] }, states);
  }
  states.inputMemory.release();
  return { results, costs, quality: await judge.qualityOf(runner, model, states.heldOut) };
}

/** The hidden states that travel along. */
export interface SweepStates {
  /** Of the calibration windows, through the pruned layers. */
  readonly calibrated: HiddenStates;
  /** Of the calibration windows, through the dense layers; for a recovery that aims at them, where anything is to make up for. */
  readonly dense: HiddenStates | undefined;
  /** Of the held-out windows, through the pruned layers. */
  readonly heldOut: ResidentStates;
  /** Memory for what enters the projections of a layer. */
  readonly inputMemory: ReusedTensors;
}

async function startStates({ scratch, memory }: RunContext, sweep: Sweep, { spec }: Decision): Promise<SweepStates> {
  const { model, method, windows, judge } = sweep;
  const isCut = countParameters(spec).total < countParameters(model.spec).total;
  const calibrated = await embedOrSpill(model, windows, scratch, memory.states);
  const aimsAtDense = method.recovery.towardsDense === true && isCut;
  const dense = aimsAtDense ? await embedOrSpill(model, windows, scratch, memory.states) : undefined;
  const heldOut = await embed(model, judge.windows);
  return { calibrated, dense, heldOut, inputMemory: new ReusedTensors() };
}

/** A layer on its way to its own sizes. */
interface LayerCut {
  readonly index: LayerIndex;
  /** As the source has it. */
  readonly dense: DecoderLayer;
  /** As far as it is cut. */
  readonly layer: DecoderLayer;
  readonly sizes: LayerSizes;
  /** Neurons in the order of their removal, where those of all layers have been ranked. */
  readonly order: Int32Array | undefined;
}

interface PrunedLayer {
  readonly weights: LayerWeights;
  readonly experts: Experts | undefined;
  readonly costs: Float64Array;
  readonly record: Omit<LayerResult, "index" | "elapsedSeconds" | "residentBytes">;
}

/** Cuts a layer, first its attention, then its MLP, and sends all states through what is left. */
async function pruneLayer(run: RunContext, sweep: Sweep, states: SweepStates, cut: LayerCut): Promise<PrunedLayer> {
  const attention = await passSublayer(sweep, states, cut, "attention", (layer, request) =>
    pruneSublayer(run, headCut, layer, request),
  );
  const mlp = await passSublayer(sweep, states, { ...cut, layer: attention.layer }, "mlp", (layer, request) =>
    mixtureOf(layer.sizes) ? pruneMixture(run, layer, request) : pruneSublayer(run, neuronCut, layer, request),
  );
  return {
    weights: mlp.layer.weights,
    experts: mlp.layer.experts,
    costs: mlp.choice.costs,
    record: recordOf(cut.dense.sizes, attention, mlp),
  };
}

/** Cuts one sublayer; the states then stand behind it. */
async function passSublayer<C extends Choice>(
  { runner, method, windows, sensitivities }: Sweep,
  { calibrated, dense, heldOut, inputMemory }: SweepStates,
  { dense: source, layer, ...cut }: LayerCut,
  sublayer: Sublayer,
  prune: (layer: DecoderLayer, request: SublayerRequest) => Promise<PrunedSublayer<C>>,
): Promise<PrunedSublayer<C>> {
  if (dense) await runner.sublayer(sublayer, source, dense);
  const sensitivity = sensitivities.get(cut.index)?.[sublayer] ?? {};
  const given = {
    runner,
    method,
    states: calibrated,
    target: dense && runner.behind(sublayer, source, dense),
    tokenCount: windows.ids.length,
    sensitivity,
    inputMemory,
  };
  const pruned = await prune(layer, { ...cut, ...given });
  await runner.sublayer(sublayer, pruned.layer, heldOut);
  if (pruned.inputs) await runner.project(sublayer, pruned.layer, pruned.inputs, calibrated);
  else await runner.sublayer(sublayer, pruned.layer, calibrated);
  return pruned;
}

function recordOf(
  dense: LayerSpec,
  { choice: { heads, keyValueHeads } }: PrunedSublayer<HeadChoice>,
  { choice: { inputs }, error }: PrunedSublayer<Choice>,
): PrunedLayer["record"] {
  const { intermediateSize, numAttentionHeads } = sizesOf(dense);
  return {
    kept: [...inputs],
    keptNeurons: inputs.length,
    totalNeurons: intermediateSize * (mixtureOf(dense)?.numExperts ?? 1),
    heads: [...heads],
    keyValueHeads: [...keyValueHeads],
    keptHeads: heads.length,
    totalHeads: numAttentionHeads,
    errorBefore: error.before,
    errorAfter: error.after,
  };
}
