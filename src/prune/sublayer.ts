// The fine stage on one sublayer, an attention or an MLP: statistics → ranking → what stays → recovered weights. Both end in a
// projection whose inputs can go; how these are grouped and where their rows lie is all that differs (heads.ts, neurons.ts).
import { projectionOf } from "../forward/graphs/decoder-layer.ts";
import type { ProjectionInputs } from "../forward/run/project.ts";
import type { Criterion, CriterionContext } from "../importance/criterion.ts";
import { gatherColumns } from "../linalg/gather.ts";
import {
  type OutputProjection,
  type ProjectionStatistics,
  rankingStatistics,
  type StoredStatistics,
} from "../linalg/projection.ts";
import { nthRandom } from "../linalg/random.ts";
import type { DecoderLayer, LayerWeights } from "../model/read-layer.ts";
import type { LayerIndex } from "../model/spec/layer-index.ts";
import { type LayerSizes, type LayerSpec, resized, sizesOf } from "../model/spec/parts.ts";
import { hasSublayer, type Sublayer } from "../model/spec/roles.ts";
import { lostEnergy, outputEnergy } from "../recover/layer-error.ts";
import type { Recovered } from "../recover/recovery.ts";
import type { RunContext } from "../run-context.ts";
import { gatherStatistics, type StatisticsRequest } from "./gather-statistics.ts";
import { withInputMoments } from "./input-moments.ts";
import type { LayerSource } from "./layer-source.ts";

/** What of a sublayer stays. */
export interface Choice {
  /** Inputs of the projection, ascending. */
  readonly inputs: Int32Array;
  /** What each removal cost, in the criterion's unit; empty where nothing was ranked. */
  readonly costs: Float64Array;
}

/** What differs between the kinds of sublayers. */
export interface SublayerCut<C extends Choice = Choice> {
  readonly sublayer: Sublayer;
  /** Of the sizes of a layer those that are this sublayer's. */
  ownSizes(sizes: LayerSizes): Partial<LayerSizes>;
  /** How many units, heads or neurons, there are. */
  width(sizes: LayerSizes): number;
  /** All that a layer of these sizes has, whose projection has so many inputs. */
  all(sizes: LayerSizes, inputSize: number): C;
  /** What stays when the criterion takes the layer from its sizes to `sizes`. */
  choose(ranking: Ranking, layer: LayerSizes, sizes: LayerSizes): Promise<C>;
  /** The weights of what stays, the projection recovered. */
  take(weights: LayerWeights, choice: C, recovered: Recovered): LayerWeights;
  /** Ridge of a refit that loses nothing; undefined: as that of any other. */
  readonly uncutRidge?: number;
  /** Whether the error of the output is told. */
  readonly tellsError: boolean;
}

/** What a choice is made by. */
export interface Ranking {
  readonly criterion: Criterion;
  readonly projection: OutputProjection;
  readonly statistics: ProjectionStatistics;
  readonly context: CriterionContext;
  /** Inputs in the order of their removal, where those of all layers have been ranked before. */
  readonly order: Int32Array | undefined;
}

/** What goes of a sublayer. */
export interface SublayerGoal {
  readonly index: LayerIndex;
  /** What the sublayer shall have. */
  readonly sizes: LayerSizes;
  /** Neurons in the order of their removal, where those of all layers have been ranked. */
  readonly order: Int32Array | undefined;
}

export interface SublayerRequest extends SublayerGoal, StatisticsRequest {}

export interface PrunedSublayer<C extends Choice> {
  /** The layer with this sublayer cut; its other sublayer is as it was. */
  readonly layer: DecoderLayer;
  readonly choice: C;
  /** What entered the projection before anything was cut; undefined where it was not wanted, or is too much to be kept. */
  readonly inputs: ProjectionInputs | undefined;
  /** ‖Y − Ŷ‖ / ‖Y‖ of the output on the calibration tokens, cut only and recovered. */
  readonly error: { readonly before: number; readonly after: number };
}

const NO_ERROR = { before: 0, after: 0 };
const NOTHING_LEFT = { before: 1, after: 1 };

/** Cuts a sublayer to the sizes asked for. With a target its projection is refitted even where nothing goes. */
export async function pruneSublayer<C extends Choice>(
  run: RunContext,
  cut: SublayerCut<C>,
  source: LayerSource,
  request: SublayerRequest,
): Promise<PrunedSublayer<C>> {
  const { method, sizes } = request;
  const name = cut.sublayer;
  const isCut = cut.width(sizes) < cut.width(sizesOf(source.sizes));
  const changes = isCut || request.target !== undefined;
  const smaller = resized(source.sizes, cut.ownSizes(sizes));
  if (!hasSublayer(name, smaller))
    return {
      ...untouched(await source.read(name), smaller),
      choice: cut.all(sizesOf(smaller), 0),
      error: NOTHING_LEFT,
    };
  const found = changes || method.importance === "all" ? await gatherStatistics(run, name, source, request) : undefined;
  const weighed = async (weights: LayerWeights, kept: Int32Array): Promise<LayerWeights> =>
    found === undefined || method.importance === "none"
      ? weights
      : withInputMoments(name, weights, { gram: await found.statistics.gram(), kept, entries: found.entries });
  if (found === undefined || !changes) {
    const layer = await source.read(name);
    const all = cut.all(sizesOf(layer.sizes), projectionOf(name, layer).inputSize);
    const weights = await weighed(layer.weights, all.inputs);
    await found?.release();
    return { ...untouched({ ...layer, weights }, smaller), choice: all, error: NO_ERROR };
  }
  const { layer, choice, recovered } = await cutByStatistics(run, cut, source, found.statistics, request);
  const error = cut.tellsError ? await errorOf(run, name, source, found.statistics, choice, recovered) : NO_ERROR;
  const weights = await weighed(layer.weights, choice.inputs);
  await found.release();
  const inputs = found.inputs && { batches: found.inputs, kept: choice.inputs };
  return { layer: { ...layer, weights }, choice, inputs, error };
}

interface CutLayer<C extends Choice> extends Pick<PrunedSublayer<C>, "layer" | "choice"> {
  readonly recovered: Recovered;
}

/** Chooses what of a sublayer stays and recovers its projection; where nothing goes it is only refitted. */
export async function cutByStatistics<C extends Choice>(
  run: RunContext,
  cut: SublayerCut<C>,
  source: LayerSource,
  statistics: StoredStatistics,
  goal: SublayerGoal & Pick<SublayerRequest, "method">,
): Promise<CutLayer<C>> {
  run.collectGarbage();
  const { method, sizes } = goal;
  const had = sizesOf(source.sizes);
  const isCut = cut.width(sizes) < cut.width(had);
  const choice = isCut ? await choose(run, cut, source, statistics, goal) : cut.all(had, statistics.mean.length);
  run.collectGarbage();
  const ridge = isCut ? method.ridge : (cut.uncutRidge ?? method.ridge);
  const recovered = await recover(run, cut.sublayer, source, statistics, { method, ridge, kept: choice.inputs });
  run.collectGarbage();
  const { weights, ...layer } = await source.read(cut.sublayer);
  const smaller = { sizes: resized(layer.sizes, cut.ownSizes(sizes)), weights: cut.take(weights, choice, recovered) };
  return { layer: { ...layer, ...smaller }, choice, recovered };
}

/** Ranks what a sublayer has; what that takes is gone when it is done. */
async function choose<C extends Choice>(
  { gemm }: RunContext,
  cut: SublayerCut<C>,
  source: LayerSource,
  stored: StoredStatistics,
  { method, index, sizes, order }: SublayerGoal & Pick<SublayerRequest, "method">,
): Promise<C> {
  const projection = await projectionIn(source, cut.sublayer);
  const context = { gemm, random: nthRandom(method.seed, index).nextFloat };
  const statistics = await rankingStatistics(stored);
  return cut.choose(
    { criterion: method.criterion, projection, statistics, context, order },
    sizesOf(source.sizes),
    sizes,
  );
}

/** The weights of what stays of a projection; the dense ones are gone when it is done. */
async function recover(
  { gemm }: RunContext,
  name: Sublayer,
  source: LayerSource,
  statistics: StoredStatistics,
  { method, ridge, kept }: Pick<SublayerRequest, "method"> & { readonly ridge: number; readonly kept: Int32Array },
): Promise<Recovered> {
  return method.recovery.recover(await projectionIn(source, name), statistics, kept, { gemm, ridge });
}

const projectionIn = async (source: LayerSource, name: Sublayer): Promise<OutputProjection> =>
  projectionOf(name, await source.readProjection(name));

const untouched = (layer: DecoderLayer, sizes: LayerSpec): Pick<PrunedSublayer<Choice>, "layer" | "inputs"> => ({
  layer: { ...layer, sizes },
  inputs: undefined,
});

async function errorOf(
  { gemm }: RunContext,
  name: Sublayer,
  source: LayerSource,
  stored: StoredStatistics,
  { inputs }: Choice,
  recovered: Recovered,
): Promise<PrunedSublayer<Choice>["error"]> {
  const projection = await projectionIn(source, name);
  const statistics = { ...stored, gram: await stored.gram() };
  const cutOnly = { weight: gatherColumns(projection.weight, projection.inputSize, inputs) };
  const [before, after] = [
    await lostEnergy(gemm, projection, statistics, inputs, cutOnly),
    await lostEnergy(gemm, projection, statistics, inputs, recovered),
  ];
  if (before === 0 && after === 0) return NO_ERROR;
  const energy = await outputEnergy(gemm, statistics.gram, projection.weight);
  return { before: Math.sqrt(before / energy), after: Math.sqrt(after / energy) };
}
