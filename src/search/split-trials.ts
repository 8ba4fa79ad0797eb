// Splits tried out: every layer is cut and recovered by what the dense model sends through it, so that one set of sums serves all
// splits; each sends the judging windows through its own layers.
import type { Decision } from "../allocation/decide.ts";
import { embed } from "../forward/run/embed.ts";
import type { ResidentStates } from "../forward/run/hidden-states.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import { type LayerSizes, sizesOf } from "../model/spec/parts.ts";
import { withSensitivity } from "../prune/gather-statistics.ts";
import { headCut } from "../prune/heads.ts";
import { type LayerSource, openLayer } from "../prune/layer-source.ts";
import { neuronCut } from "../prune/neurons.ts";
import { type Choice, cutByStatistics, type SublayerCut } from "../prune/sublayer.ts";
import type { Sweep } from "../prune/sweep.ts";
import type { RunContext } from "../run-context.ts";
import { type DenseStatistics, denseStatistics } from "../sensitivity/dense-sums.ts";

/** Splits of one model, tried out by the same sums. */
export interface SplitTrials {
  /** The divergence that a decision would give, nats per token: of layers that are cut and recovered without knowing of each other. */
  divergenceOf(decision: Decision): Promise<number>;
  /** Removes the sums. */
  release(): Promise<void>;
}

/** Gathers what trials cut by; the trials are then one pass of the judging windows each. */
export async function prepareTrials(
  run: RunContext,
  sweep: Sweep,
  decisions: readonly Decision[],
): Promise<SplitTrials> {
  const cuts = [headCut, neuronCut].filter((cut) => decisions.some((decision) => cutsAnywhere(sweep, cut, decision)));
  const sums = await denseStatistics(
    run,
    sweep,
    cuts.map(({ sublayer }) => sublayer),
  );
  await sweep.judge.meetDense(run, sweep.runner, sweep.model);
  return { divergenceOf: (decision) => trySplit(run, sweep, sums, decision), release: () => sums.release() };
}

async function trySplit(run: RunContext, sweep: Sweep, sums: DenseStatistics, decision: Decision): Promise<number> {
  const { model, runner, judge } = sweep;
  const states = await embed(model, judge.windows);
  for (const index of layerIndices(model.spec)) {
    run.signal?.throwIfAborted();
    run.report({ type: "stage", name: "trial", done: index, total: model.spec.layers.length });
    if (!decision.keptLayers.includes(index)) continue;
    const source = await openLayer(model, index, run.memory.wholeLayers);
    const pass = { index, decision, states, sums };
    const behind = await passSublayer(run, sweep, headCut, { ...pass, source });
    await passSublayer(run, sweep, neuronCut, { ...pass, source: behind });
  }
  return (await judge.qualityOf(runner, model, states)).klDivergence;
}

interface SublayerPass {
  readonly index: LayerIndex;
  readonly decision: Decision;
  /** The layer as far as it is cut. */
  readonly source: LayerSource;
  readonly sums: DenseStatistics;
  /** Of the judging windows. */
  readonly states: ResidentStates;
}

/** Cuts a sublayer and sends the states through what is left. Returns the layer that its other sublayer belongs to. */
async function passSublayer<C extends Choice>(
  run: RunContext,
  { model, method, runner, sensitivities }: Sweep,
  cut: SublayerCut<C>,
  { index, decision, source, sums, states }: SublayerPass,
): Promise<LayerSource> {
  const { sublayer } = cut;
  const sizes = sizesIn(decision, index);
  const goal = { method, index, sizes, order: decision.orders?.[index] };
  const found = cut.width(sizes) < cut.width(sizesOf(model.spec.layers[index]!)) ? sums.of(index, sublayer) : undefined;
  const statistics = found && withSensitivity(found, sensitivities.get(index)?.[sublayer] ?? {});
  const left = statistics
    ? (await cutByStatistics(run, cut, source, statistics, goal)).layer
    : await source.read(sublayer);
  await runner.sublayer(sublayer, left, states);
  return source.behind(left);
}

const cutsAnywhere = <C extends Choice>({ model }: Sweep, cut: SublayerCut<C>, decision: Decision): boolean =>
  decision.keptLayers.some(
    (index) => cut.width(sizesIn(decision, index)) < cut.width(sizesOf(model.spec.layers[index]!)),
  );

const sizesIn = ({ keptLayers, spec }: Decision, index: LayerIndex): LayerSizes =>
  sizesOf(spec.layers[keptLayers.indexOf(index)]!);
