// The fine stage on one sublayer, an attention or an MLP: statistics → ranking → what stays → recovered weights. Both end in a
// projection whose inputs can go; how these are grouped and where their rows lie is all that differs (heads.ts, neurons.ts).
import type { ReusedTensors } from "../compute/reused-tensor.ts";
import { isParallel, projectionOf } from "../forward/graphs/decoder-layer.ts";
import type { HiddenStates } from "../forward/run/hidden-states.ts";
import type { LayerRunner } from "../forward/run/layer-runner.ts";
import type { ProjectionInputs } from "../forward/run/project.ts";
import type { FoundStatistics } from "../forward/run/projection-statistics.ts";
import type { StoredArray } from "../forward/run/scratch.ts";
import type { Criterion, CriterionContext } from "../importance/criterion.ts";
import { gatherColumns } from "../linalg/gather.ts";
import type { OutputProjection, ProjectionStatistics } from "../linalg/projection.ts";
import { nthRandom } from "../linalg/random.ts";
import type { Method } from "../method/method.ts";
import type { DecoderLayer, LayerWeights } from "../model/read-layer.ts";
import type { LayerIndex } from "../model/spec/layer-index.ts";
import { type LayerSizes, type LayerSpec, resized, sizesOf } from "../model/spec/parts.ts";
import { hasSublayer, type Sublayer } from "../model/spec/roles.ts";
import { isScarce } from "../recover/choose-ridge.ts";
import { layerError } from "../recover/layer-error.ts";
import type { Recovered } from "../recover/recovery.ts";
import type { RunContext } from "../run-context.ts";
import { withInputMoments } from "./input-moments.ts";

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

/** What backward sweeps over the dense model have found of a sublayer, put aside. */
export interface SublayerSensitivity {
  readonly fisherFactor?: StoredArray | undefined;
  readonly weights?: StoredArray | undefined;
}

/** What goes of a sublayer. */
export interface SublayerGoal {
  readonly index: LayerIndex;
  /** What the sublayer shall have. */
  readonly sizes: LayerSizes;
  /** Neurons in the order of their removal, where those of all layers have been ranked. */
  readonly order: Int32Array | undefined;
}

export interface SublayerRequest extends SublayerGoal {
  readonly runner: LayerRunner;
  readonly method: Method;
  /** Hidden states before the sublayer, of all calibration tokens. */
  readonly states: HiddenStates;
  readonly tokenCount: number;
  /** The dense model's hidden states behind the sublayer, for a recovery that aims at them. */
  readonly target: HiddenStates | undefined;
  readonly sensitivity: SublayerSensitivity;
  /** For what enters the projection of all tokens: one memory for all sublayers, which follow one another. */
  readonly inputMemory: ReusedTensors;
}

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
  layer: DecoderLayer,
  request: SublayerRequest,
): Promise<PrunedSublayer<C>> {
  const { method, sizes } = request;
  const had = sizesOf(layer.sizes);
  const isCut = cut.width(sizes) < cut.width(had);
  const changes = isCut || request.target !== undefined;
  const smaller = resized(layer.sizes, cut.ownSizes(sizes));
  if (!hasSublayer(cut.sublayer, smaller))
    return { ...untouched(layer, smaller), choice: cut.all(sizesOf(smaller), 0), error: NOTHING_LEFT };
  const projection = projectionOf(cut.sublayer, layer);
  const all = cut.all(had, projection.inputSize);
  if (!changes && method.importance !== "all") return { ...untouched(layer, smaller), choice: all, error: NO_ERROR };
  const { statistics, inputs, entries } = await gatherStatistics(cut.sublayer, layer, request);
  const weighed = (weights: LayerWeights, kept: Int32Array): LayerWeights =>
    method.importance === "none"
      ? weights
      : withInputMoments(cut.sublayer, weights, { gram: statistics.gram, kept, entries });
  if (!changes) {
    const weights = weighed(layer.weights, all.inputs);
    return { ...untouched({ ...layer, weights }, smaller), choice: all, error: NO_ERROR };
  }
  const { layer: left, choice, recovered } = await cutByStatistics(run, cut, layer, statistics, request);
  return {
    layer: { ...left, weights: weighed(left.weights, choice.inputs) },
    choice,
    inputs: inputs && { batches: inputs, kept: choice.inputs },
    error: cut.tellsError ? await errorOf(run, projection, statistics, choice, recovered) : NO_ERROR,
  };
}

interface CutLayer<C extends Choice> extends Pick<PrunedSublayer<C>, "layer" | "choice"> {
  readonly recovered: Recovered;
}

/** Chooses what of a sublayer stays and recovers its projection; where nothing goes it is only refitted. */
export async function cutByStatistics<C extends Choice>(
  run: RunContext,
  cut: SublayerCut<C>,
  layer: DecoderLayer,
  statistics: ProjectionStatistics,
  { method, index, sizes, order }: SublayerGoal & Pick<SublayerRequest, "method">,
): Promise<CutLayer<C>> {
  run.collectGarbage();
  const had = sizesOf(layer.sizes);
  const isCut = cut.width(sizes) < cut.width(had);
  const projection = projectionOf(cut.sublayer, layer);
  const context = { gemm: run.gemm, random: nthRandom(method.seed, index).nextFloat };
  const ranking = { criterion: method.criterion, projection, statistics, context, order };
  const choice = isCut ? await cut.choose(ranking, had, sizes) : cut.all(had, projection.inputSize);
  run.collectGarbage();
  const ridge = isCut ? method.ridge : (cut.uncutRidge ?? method.ridge);
  const recovered = await method.recovery.recover(projection, statistics, choice.inputs, { gemm: run.gemm, ridge });
  run.collectGarbage();
  const smaller = {
    ...layer,
    sizes: resized(layer.sizes, cut.ownSizes(sizes)),
    weights: cut.take(layer.weights, choice, recovered),
  };
  return { layer: smaller, choice, recovered };
}

const untouched = (layer: DecoderLayer, sizes: LayerSpec): Pick<PrunedSublayer<Choice>, "layer" | "inputs"> => ({
  layer: { ...layer, sizes },
  inputs: undefined,
});

/**
 * Inputs of a projection are kept for all tokens until its successor is there, if they take no more than this. What is computed
 * anew differs in its last bits, so that this is not for a memory limit to decide.
 */
const KEPT_BYTES = 256 * 2 ** 20;

/** Bytes of the inputs that are kept; 0 where they are computed anew. */
export function keptBytes(tokenCount: number, inputSize: number): number {
  const bytes = 4 * tokenCount * inputSize;
  return bytes <= KEPT_BYTES ? bytes : 0;
}

/** Statistics over all calibration tokens at the projection of a sublayer, with what backward sweeps have found. */
export async function gatherStatistics(
  sublayer: Sublayer,
  layer: DecoderLayer,
  { runner, method, states, target, tokenCount, sensitivity, inputMemory }: Omit<SublayerRequest, keyof SublayerGoal>,
): Promise<FoundStatistics> {
  const { inputSize } = projectionOf(sublayer, layer);
  const holdsOut = method.choosesRidge && target !== undefined && isScarce(tokenCount, inputSize);
  // behind a parallel attention nothing has moved, and the MLP needs both
  const keepsInputs = !holdsOut && !isParallel(runner.spec, layer) && keptBytes(tokenCount, inputSize) > 0;
  const weighsEntries = method.importance === "all";
  const wanted = {
    tokenScale: method.tokenScale,
    target,
    holdsOut,
    keepsInputsIn: keepsInputs ? inputMemory : undefined,
    weighsEntries,
  };
  const { statistics, inputs, entries } = await runner.projectionStatistics(sublayer, layer, states, wanted);
  const [fisherFactor, weightSensitivity] = [sensitivity.fisherFactor?.read(), sensitivity.weights?.read()];
  return {
    statistics: { ...statistics, fisherFactor: await fisherFactor, weightSensitivity: await weightSensitivity },
    inputs,
    entries,
  };
}

async function errorOf(
  { gemm }: RunContext,
  projection: OutputProjection,
  statistics: ProjectionStatistics,
  { inputs }: Choice,
  recovered: Recovered,
): Promise<PrunedSublayer<Choice>["error"]> {
  const cutOnly = { weight: gatherColumns(projection.weight, projection.inputSize, inputs) };
  return {
    before: await layerError(gemm, projection, statistics, inputs, cutOnly),
    after: await layerError(gemm, projection, statistics, inputs, recovered),
  };
}
