// Splits tried out side by side. Every layer is cut and recovered on what the dense model sends through it, so that one pass of the
// calibration windows, and one set of sums, serves all splits; each then sends the judging windows through its own layers.
import type { Decision } from "../allocation/decide.ts";
import { ReusedTensors } from "../compute/reused-tensor.ts";
import { embed, embedOrSpill } from "../forward/run/embed.ts";
import type { HiddenStates, ResidentStates } from "../forward/run/hidden-states.ts";
import type { FoundStatistics } from "../forward/run/projection-statistics.ts";
import { type DecoderLayer, readLayer } from "../model/read-layer.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import { type LayerSizes, sizesOf } from "../model/spec/parts.ts";
import { hasSublayer, type Sublayer } from "../model/spec/roles.ts";
import { headCut } from "../prune/heads.ts";
import { neuronCut } from "../prune/neurons.ts";
import { type Choice, cutByStatistics, gatherStatistics, type SublayerCut } from "../prune/sublayer.ts";
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
  readonly layer: DecoderLayer;
}

/** What the splits share of a layer. */
interface SharedPass {
  readonly index: LayerIndex;
  /** The layer as the source has it. */
  readonly source: DecoderLayer;
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
    const source = await readLayer(model, index);
    const pass = { index, source, dense, inputMemory };
    const kept = passes.filter(({ decision }) => decision.keptLayers.includes(index));
    const entered = kept.map((split) => ({ ...split, layer: source }));
    const behind = await passSublayer(run, sweep, headCut, pass, entered);
    await passSublayer(run, sweep, neuronCut, pass, behind);
  }
  inputMemory.release();
  const divergences: number[] = [];
  for (const { states } of passes) divergences.push((await judge.qualityOf(runner, model, states)).klDivergence);
  return divergences;
}

/** Cuts a sublayer for each split by the same sums; all states then stand behind it. */
async function passSublayer<C extends Choice>(
  run: RunContext,
  sweep: Sweep,
  cut: SublayerCut<C>,
  pass: SharedPass,
  splits: readonly LayerPass[],
): Promise<LayerPass[]> {
  const { runner, method } = sweep;
  const { index, source } = pass;
  const had = sizesOf(source.sizes);
  const sizesIn = ({ keptLayers, spec }: Decision): LayerSizes => sizesOf(spec.layers[keptLayers.indexOf(index)]!);
  const isCut = ({ decision }: SplitPass): boolean =>
    hasSublayer(cut.sublayer, source.sizes) && cut.width(sizesIn(decision)) < cut.width(had);
  const found = splits.some(isCut) ? await sumsOfDense(sweep, cut.sublayer, pass) : undefined;
  const behind: LayerPass[] = [];
  for (const split of splits) {
    const goal = { method, index, sizes: sizesIn(split.decision), order: split.decision.orders?.[index] };
    const cutBy = found && isCut(split) ? found.statistics : undefined;
    const layer = cutBy ? (await cutByStatistics(run, cut, split.layer, cutBy, goal)).layer : split.layer;
    await runner.sublayer(cut.sublayer, layer, split.states);
    behind.push({ ...split, layer });
  }
  await passDense(sweep, cut, pass, found?.inputs);
  return behind;
}

const sumsOfDense = (
  { runner, method, windows, sensitivities }: Sweep,
  sublayer: Sublayer,
  { index, source, dense: states, inputMemory }: SharedPass,
): Promise<FoundStatistics> => {
  const sensitivity = sensitivities.get(index)?.[sublayer] ?? {};
  const tokenCount = windows.ids.length;
  return gatherStatistics(sublayer, source, {
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
  inputs: FoundStatistics["inputs"],
): Promise<void> {
  if (inputs === undefined) return runner.sublayer(sublayer, source, dense);
  const { inputs: kept } = all(sizesOf(source.sizes), inputs[0]!.shape[1]!);
  await runner.project(sublayer, source, { batches: inputs, kept }, dense);
}
