// One layer of a sweep: its attention is cut and recovered, then its MLP, and all states pass through what is left.
import type { ReusedTensors } from "../compute/reused-tensor.ts";
import type { LayerResult } from "../events/prune.ts";
import type { HiddenStates, ResidentStates } from "../forward/run/hidden-states.ts";
import type { LayerRunner } from "../forward/run/layer-runner.ts";
import type { Method } from "../method/method.ts";
import type { Experts, LayerWeights } from "../model/read-layer.ts";
import type { LayerIndex } from "../model/spec/layer-index.ts";
import { type LayerSizes, type LayerSpec, mixtureOf, sizesOf } from "../model/spec/parts.ts";
import type { Sublayer } from "../model/spec/roles.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import type { RunContext } from "../run-context.ts";
import type { SublayerSensitivity } from "./gather-statistics.ts";
import { type HeadChoice, headCut } from "./heads.ts";
import type { LayerSource } from "./layer-source.ts";
import { neuronCut } from "./neurons.ts";
import { type Choice, type PrunedSublayer, pruneSublayer, type SublayerRequest } from "./sublayer.ts";
import { type ExpertChoice, pruneExperts } from "./whole-experts.ts";

/** What the pruning of every layer works with. */
export interface LayerWork {
  readonly runner: LayerRunner;
  readonly method: Method;
  /** Calibration windows. */
  readonly windows: TokenWindows;
  readonly sensitivities: Sensitivities;
}

/** What backward sweeps have found of each layer of the source, where the method needs it. */
export type Sensitivities = ReadonlyMap<LayerIndex, Readonly<Partial<Record<Sublayer, SublayerSensitivity>>>>;

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

/** A layer on its way to its own sizes. */
export interface LayerCut {
  readonly index: LayerIndex;
  /** As the source has it. */
  readonly dense: LayerSource;
  /** As far as it is cut. */
  readonly layer: LayerSource;
  readonly sizes: LayerSizes;
  /** How many experts it shall have, where it is a mixture. */
  readonly numExperts: number;
  /** Neurons in the order of their removal, where those of all layers have been ranked. */
  readonly order: Int32Array | undefined;
}

export interface PrunedLayer {
  readonly weights: LayerWeights;
  readonly experts: Experts | undefined;
  readonly costs: Float64Array;
  readonly record: Omit<LayerResult, "index" | "elapsedSeconds" | "residentBytes">;
}

/** Cuts a layer, first its attention, then its MLP, and sends all states through what is left. */
export async function pruneLayer(
  run: RunContext,
  work: LayerWork,
  states: SweepStates,
  cut: LayerCut,
): Promise<PrunedLayer> {
  const attention = await pruneAttention(run, work, states, cut);
  const behind = { ...cut, layer: attention.behind };
  const mlp = await passSublayer<ExpertChoice>(work, states, behind, "mlp", async (layer, request) =>
    mixtureOf(layer.sizes)
      ? pruneExperts(run, await layer.read("mlp"), request, cut.numExperts)
      : pruneSublayer(run, neuronCut, layer, request),
  );
  return {
    weights: { ...(await attention.weights()), ...mlp.layer.weights },
    experts: mlp.layer.experts,
    costs: mlp.choice.costs,
    record: recordOf(cut.dense.sizes, attention.choice, mlp),
  };
}

interface PrunedAttention {
  readonly choice: HeadChoice;
  /** The layer for its MLP to be cut. */
  readonly behind: LayerSource;
  readonly weights: () => Promise<LayerWeights>;
}

async function pruneAttention(
  run: RunContext,
  work: LayerWork,
  states: SweepStates,
  cut: LayerCut,
): Promise<PrunedAttention> {
  const { layer, choice } = await passSublayer(work, states, cut, "attention", (source, request) =>
    pruneSublayer(run, headCut, source, request),
  );
  return { choice, behind: cut.layer.behind(layer), weights: cut.layer.waiting(layer.weights) };
}

/** Cuts one sublayer; the states then stand behind it. */
async function passSublayer<C extends Choice>(
  { runner, method, windows, sensitivities }: LayerWork,
  { calibrated, dense, heldOut, inputMemory }: SweepStates,
  { dense: source, layer, ...cut }: LayerCut,
  sublayer: Sublayer,
  prune: (layer: LayerSource, request: SublayerRequest) => Promise<PrunedSublayer<C>>,
): Promise<PrunedSublayer<C>> {
  const sensitivity = sensitivities.get(cut.index)?.[sublayer] ?? {};
  const given = {
    runner,
    method,
    states: calibrated,
    target: dense && (await passDense(runner, sublayer, source, dense)),
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

/** The dense states through a sublayer of the dense layer: what it shall come near to. */
async function passDense(
  runner: LayerRunner,
  sublayer: Sublayer,
  source: LayerSource,
  dense: HiddenStates,
): Promise<HiddenStates> {
  const layer = await source.read(sublayer);
  await runner.sublayer(sublayer, layer, dense);
  return runner.behind(sublayer, layer, dense);
}

function recordOf(
  dense: LayerSpec,
  { heads, keyValueHeads }: HeadChoice,
  { choice: { inputs, experts }, error }: PrunedSublayer<ExpertChoice>,
): PrunedLayer["record"] {
  const { intermediateSize, numAttentionHeads } = sizesOf(dense);
  return {
    kept: [...inputs],
    keptNeurons: inputs.length,
    totalNeurons: intermediateSize * (mixtureOf(dense)?.numExperts ?? 1),
    ...(experts && {
      experts: [...experts],
      keptExperts: experts.length,
      totalExperts: mixtureOf(dense)!.numExperts,
    }),
    heads: [...heads],
    keyValueHeads: [...keyValueHeads],
    keptHeads: heads.length,
    totalHeads: numAttentionHeads,
    errorBefore: error.before,
    errorAfter: error.after,
  };
}
