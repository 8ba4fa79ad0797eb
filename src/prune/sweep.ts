// The fine stage: one sweep over the layers, each cut and recovered on what the pruned layers before it produce.
import type { Decision } from "../allocation/decide.ts";
import { ReusedTensors } from "../compute/reused-tensor.ts";
import type { Judge } from "../evaluate/judge.ts";
import type { Quality } from "../events/common.ts";
import type { LayerResult } from "../events/prune.ts";
import { embed, embedOrSpill } from "../forward/run/embed.ts";
import type { ResidentStates } from "../forward/run/hidden-states.ts";
import type { Model } from "../model/model.ts";
import { type Experts, type LayerWeights, readLayer, withZeroBiases } from "../model/read-layer.ts";
import { type LayerIndex, type LayerPosition, layerIndices } from "../model/spec/layer-index.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { mixtureOf, sizesOf } from "../model/spec/parts.ts";
import type { RunContext } from "../run-context.ts";
import { openLayer } from "./layer-source.ts";
import { type LayerWork, pruneLayer, type SweepStates } from "./prune-layer.ts";

/** What a sweep works on. */
export interface Sweep extends LayerWork {
  readonly model: Model;
  readonly judge: Judge;
}

/** Where the finished layers go. */
export type LayerSink = (position: LayerPosition, weights: LayerWeights, experts?: Experts) => Promise<void>;

/** What is known of the layers that are finished. */
interface FinishedLayers {
  readonly results: readonly LayerResult[];
  /** What each neuron's removal cost, per kept layer, in the criterion's unit; empty where neurons had been ranked before. */
  readonly costs: readonly Float64Array[];
}

export interface PrunedLayers extends FinishedLayers {
  /** Of the held-out windows, behind the last layer: what a judge takes. */
  readonly heldOut: ResidentStates;
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
 * Prunes by a decision; held-out windows travel along through the pruned model.
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
  const { model, runner } = sweep;
  const states = await startStates(run, sweep, decision);
  await from?.restore(states);
  const [results, costs] = [[...(from?.results ?? [])], [...(from?.costs ?? [])]];
  for (const index of layerIndices(model.spec).slice(from?.next ?? 0)) {
    run.signal?.throwIfAborted();
    run.report({ type: "stage", name: "prune", done: index, total: model.spec.layers.length });
    const position = decision.keptLayers.indexOf(index) as LayerPosition;
    if (position < 0) {
      if (states.dense) await runner.layer(await readLayer(model, index), states.dense);
      continue;
    }
    const finished = await finishLayer(run, sweep, decision, states, { index, position, write });
    costs.push(finished.costs);
    results.push(finished.result);
    const { kept, experts, heads, keyValueHeads, ...progress } = finished.result;
    run.report({ type: "layer", ...progress });
    await keep?.({ next: index + 1, results: [...results], costs: [...costs] }, states);
  }
  states.inputMemory.release();
  return { results, costs, heldOut: states.heldOut };
}

/** Quality of the model that a decision would give: of a sweep that writes nothing. */
export async function tryDecision(run: RunContext, sweep: Sweep, decision: Decision): Promise<Quality> {
  const trial: RunContext = {
    ...run,
    report: (event) => event.type === "stage" && run.report({ ...event, name: "trial" }),
  };
  const { model, runner, judge } = sweep;
  await judge.meetDense(run, runner, model);
  const { heldOut } = await pruneLayers(trial, sweep, decision);
  return judge.qualityOf(runner, model, heldOut);
}

interface LayerPlace {
  readonly index: LayerIndex;
  readonly position: LayerPosition;
  readonly write: LayerSink;
}

/** Prunes a layer and writes it; nothing of its weights is left when it is done. */
async function finishLayer(
  run: RunContext,
  sweep: Sweep,
  { spec, orders }: Decision,
  states: SweepStates,
  { index, position, write }: LayerPlace,
): Promise<{ readonly costs: Float64Array; readonly result: LayerResult }> {
  const start = run.now();
  const source = await openLayer(sweep.model, index, run.memory.wholeLayers);
  const smaller = spec.layers[position]!;
  const { numExperts = 0 } = mixtureOf(smaller) ?? mixtureOf(source.sizes) ?? {};
  const cut = { index, dense: source, layer: source, sizes: sizesOf(smaller), numExperts, order: orders?.[index] };
  const { weights, experts, costs, record } = await pruneLayer(run, sweep, states, cut);
  await write(position, withZeroBiases(weights, spec, position), experts);
  await experts?.release?.();
  const spent = { elapsedSeconds: run.now() - start, residentBytes: run.residentBytes() };
  return { costs, result: { index, ...record, ...spent } };
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
