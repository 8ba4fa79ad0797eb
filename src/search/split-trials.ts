// Splits tried out side by side. Every layer is cut and recovered on what the dense model sends through it, so that one pass of the
// calibration windows, and one set of sums, serves all splits; each then sends the judging windows through its own layers.
import type { Decision } from "../allocation/decide.ts";
import { ReusedTensors } from "../compute/reused-tensor.ts";
import { embed, embedOrSpill } from "../forward/run/embed.ts";
import type { HiddenStates, ResidentStates } from "../forward/run/hidden-states.ts";
import type { DecoderLayer } from "../model/read-layer.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import { type LayerSizes, sizesOf } from "../model/spec/parts.ts";
import { hasSublayer, type Sublayer } from "../model/spec/roles.ts";
import { type GatheredStatistics, gatherStatistics } from "../prune/gather-statistics.ts";
import { headCut } from "../prune/heads.ts";
import { type LayerSource, openLayer } from "../prune/layer-source.ts";
import { neuronCut } from "../prune/neurons.ts";
import { type Choice, cutByStatistics, type SublayerCut } from "../prune/sublayer.ts";
import type { Sweep } from "../prune/sweep.ts";
import type { RunContext } from "../run-context.ts";

/** A split on its way through the layers. */
interface SplitPass {
  readonly decision: Decision;
  /** Of the judging windows, through the layers of the split. */
  readonly states: ResidentStates;
}

/** A split that keeps the layer at hand. */
interface LayerPass extends SplitPass {
  /** As far as it is cut. */
  readonly layer: LayerSource;
}

/** What the splits share of a layer. */
interface SharedPass {
  readonly index: LayerIndex;
  /** The layer as the source has it. */
  readonly source: LayerSource;
  /** Of the calibration windows, through the dense layers. */
  readonly dense: HiddenStates;
  readonly inputMemory: ReusedTensors;
}

/** The divergence that each decision would give, nats per token: of layers that are cut and recovered without knowing of each other. */
export async function trySplits(run: RunContext, sweep: Sweep, decisions: readonly Decision[]): Promise<number[]> {
  const { model, runner, windows, judge } = sweep;
  await judge.meetDense(run, runner, model);
  const dense = await embedOrSpill(model, windows, run.scratch, run.memory.states);
  const entering = await embed(model, judge.windows);
  const passes: SplitPass[] = decisions.map((decision) => ({ decision, states: entering.copy() }));
  const inputMemory = new ReusedTensors();
  for (const index of layerIndices(model.spec)) {
    run.signal?.throwIfAborted();
    run.report({ type: "stage", name: "trial", done: index, total: model.spec.layers.length });
    await passLayer(run, sweep, { index, dense, inputMemory }, passes);
  }
  inputMemory.release();
  const divergences: number[] = [];
  for (const { states } of passes) divergences.push((await judge.qualityOf(runner, model, states)).klDivergence);
  return divergences;
}

/** Takes all states through a layer, and nothing of it is left when that is done. */
async function passLayer(
  run: RunContext,
  sweep: Sweep,
  shared: Omit<SharedPass, "source">,
  passes: readonly SplitPass[],
): Promise<void> {
  const source = await openLayer(sweep.model, shared.index, run.memory.wholeLayers);
  const kept = passes.filter(({ decision }) => decision.keptLayers.includes(shared.index));
  const entered = kept.map((split) => ({ ...split, layer: source }));
  const behind = await passSublayer(run, sweep, headCut, { ...shared, source }, entered);
  await passSublayer(run, sweep, neuronCut, { ...shared, source }, behind);
}

/** Cuts a sublayer for each split by the same sums; all states then stand behind it. */
async function passSublayer<C extends Choice>(
  run: RunContext,
  sweep: Sweep,
  cut: SublayerCut<C>,
  pass: SharedPass,
  splits: readonly LayerPass[],
): Promise<LayerPass[]> {
  const { method } = sweep;
  const { index, source } = pass;
  const had = sizesOf(source.sizes);
  const sizesIn = ({ keptLayers, spec }: Decision): LayerSizes => sizesOf(spec.layers[keptLayers.indexOf(index)]!);
  const isCut = ({ decision }: SplitPass): boolean =>
    hasSublayer(cut.sublayer, source.sizes) && cut.width(sizesIn(decision)) < cut.width(had);
  const found = splits.some(isCut) ? await sumsOfDense(run, sweep, cut.sublayer, pass) : undefined;
  const behind: LayerPass[] = [];
  for (const split of splits) {
    const goal = { method, index, sizes: sizesIn(split.decision), order: split.decision.orders?.[index] };
    const cutBy = found && isCut(split) ? found.statistics : undefined;
    const cutLayer = async (): Promise<DecoderLayer> =>
      cutBy ? (await cutByStatistics(run, cut, split.layer, cutBy, goal)).layer : await split.layer.read(cut.sublayer);
    behind.push({ ...split, layer: await passCut(sweep, cut.sublayer, split, cutLayer) });
  }
  await passDense(sweep, cut, pass, found?.inputs);
  await found?.release();
  return behind;
}

/** The states of a split through what is left of a sublayer. Returns the layer that its other sublayer belongs to. */
async function passCut(
  { runner }: Sweep,
  sublayer: Sublayer,
  { layer, states }: LayerPass,
  cut: () => Promise<DecoderLayer>,
): Promise<LayerSource> {
  const left = await cut();
  await runner.sublayer(sublayer, left, states);
  return layer.behind(left);
}

const sumsOfDense = (
  run: RunContext,
  { runner, method, windows, sensitivities }: Sweep,
  sublayer: Sublayer,
  { index, source, dense: states, inputMemory }: SharedPass,
): Promise<GatheredStatistics> => {
  const sensitivity = sensitivities.get(index)?.[sublayer] ?? {};
  const tokenCount = windows.ids.length;
  return gatherStatistics(run, sublayer, source, {
    runner,
    method,
    states,
    target: undefined,
    tokenCount,
    sensitivity,
    inputMemory,
  });
};

/** The calibration windows through a sublayer of the dense model. */
async function passDense<C extends Choice>(
  { runner }: Sweep,
  { sublayer, all }: SublayerCut<C>,
  { source, dense }: SharedPass,
  inputs: GatheredStatistics["inputs"],
): Promise<void> {
  if (inputs === undefined) return runner.sublayer(sublayer, await source.read(sublayer), dense);
  const { inputs: kept } = all(sizesOf(source.sizes), inputs[0]!.shape[1]!);
  await runner.project(sublayer, await source.readProjection(sublayer), { batches: inputs, kept }, dense);
}
