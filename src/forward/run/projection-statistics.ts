// What calibration tokens say at the projection that ends a sublayer, o_proj or down_proj: second moments of what enters it, and
// what it should write in addition to come near a target.
import { Graph, type Value } from "../../compute/graph.ts";
import { mul, reciprocal, reshape, scale, shift, sub } from "../../compute/operations/elementwise.ts";
import { gemm } from "../../compute/operations/linear.ts";
import type { ReusedTensors } from "../../compute/reused-tensor.ts";
import { type GramSum, type RunningSum, RunningSums } from "../../compute/running-sums.ts";
import type { Tensor } from "../../compute/tensor.ts";
import type { ProjectionStatistics } from "../../linalg/projection.ts";
import type { DecoderLayer, LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import type { Sublayer } from "../../model/spec/roles.ts";
import { PROJECTION_ROLES, projectionOf, sublayer, sublayerWeights, takesPosition } from "../graphs/decoder-layer.ts";
import { declareWeights, type LayerContext, type LayerValues } from "../graphs/layer-values.ts";
import { beforeNorm, tokenScale } from "../graphs/output-norm.ts";
import { type HiddenBatch, type HiddenStates, sliceOf } from "./hidden-states.ts";
import { type LayerPrograms, layerKey } from "./programs.ts";

/** What to find out. */
export interface WantedStatistics {
  /** States that should come out of the sublayer: asks for the drift. */
  readonly target?: HiddenStates | undefined;
  /** Whether tokens count by their scale u (graphs/output-norm.ts); else u = 1. */
  readonly tokenScale: boolean;
  /** Whether the sums over some windows, one of each batch that has more, are wanted apart as well; only with a target. */
  readonly holdsOut: boolean;
  /** Where what enters the projection is kept, batch by batch, if it is wanted too; not where windows are held out. */
  readonly keepsInputsIn?: ReusedTensors | undefined;
  /** Whether the second moments of what enters the sublayer's other projections are wanted as well. */
  readonly weighsEntries?: boolean | undefined;
}

export interface FoundStatistics {
  readonly statistics: ProjectionStatistics;
  /** z of each batch, [tokens, inputSize], where they were asked for. */
  readonly inputs: readonly Tensor[] | undefined;
  /** Σ x² of what enters the sublayer's other projections, f32 [hiddenSize], where it was asked for. */
  readonly entries: Float32Array | undefined;
}

/** Sums at the projection that ends a sublayer, over states that stand before the sublayer and stay as they are. */
export async function projectionStatistics(
  programs: LayerPrograms,
  name: Sublayer,
  layer: DecoderLayer,
  states: HiddenStates,
  { target, tokenScale, holdsOut, keepsInputsIn, weighsEntries = false }: WantedStatistics,
): Promise<FoundStatistics> {
  const projection = new ProjectionPass(programs, name, layer, tokenScale);
  const seen = projection.emptySums(target !== undefined, weighsEntries);
  const apart = holdsOut && target !== undefined ? projection.emptySums(true, weighsEntries) : undefined;
  const keepsInputs = keepsInputsIn !== undefined && apart === undefined;
  const inputs: Tensor[] | undefined = keepsInputs ? [] : undefined;
  let tokenCount = 0;
  const addBatch = async (state: HiddenBatch, wanted: HiddenBatch | undefined): Promise<void> => {
    tokenCount += state.batch * state.length;
    if (apart && state.batch > 1) {
      await projection.add(seen, sliceOf(state, 0, -1), wanted && sliceOf(wanted, 0, -1));
      await projection.add(apart, sliceOf(state, -1), wanted && sliceOf(wanted, -1));
    } else if (keepsInputs) {
      const kept = keepsInputsIn.of(inputs!.length, [state.batch * state.length, projection.inputSize]);
      await projection.add(seen, state, wanted, kept);
      inputs!.push(kept);
    } else await projection.add(seen, state, wanted);
  };
  for (let i = 0; i < states.batchCount; i++)
    await states.read(i, (state) =>
      target ? target.read(i, (wanted) => addBatch(state, wanted)) : addBatch(state, undefined),
    );
  const [whole, heldOut] = [finished(seen), apart && finished(apart)];
  if (heldOut) merge(whole, heldOut);
  for (const sums of [whole, heldOut]) if (sums) await projection.takeOffWritten(sums);
  const statistics: ProjectionStatistics = {
    tokenCount,
    gram: whole.gram.data,
    mean: whole.total.data.map((sum) => sum / tokenCount),
    drift: whole.drift?.data,
    heldOut: heldOut?.drift && { gram: heldOut.gram.data, drift: heldOut.drift.data },
  };
  return { statistics, inputs, entries: whole.entries?.data };
}

/** Sums in the making. */
interface ProjectionSums {
  readonly all: RunningSums;
  readonly gram: GramSum; // Σ z zᵀ / u²
  readonly total: RunningSum; // Σ z
  readonly drift: RunningSum | undefined; // Σ e zᵀ / u²
  readonly entries: RunningSum | undefined; // Σ x²
}

/** Sums over all tokens; z [inputSize] is what enters the projection. */
interface FinishedSums {
  readonly gram: Tensor<Float32Array>; // Σ z zᵀ / u² [inputSize, inputSize]
  readonly total: Tensor<Float32Array>; // Σ z [1, inputSize]
  /** Σ e zᵀ / u² [outputSize, inputSize]: e is what the projection would have to write in addition. */
  readonly drift: Tensor<Float32Array> | undefined;
  /** Σ x² [1, hiddenSize] of what the sublayer's other projections read. */
  readonly entries: Tensor<Float32Array> | undefined;
}

const finished = ({ gram, total, drift, entries }: ProjectionSums): FinishedSums => ({
  gram: gram.whole(),
  total: total.tensor,
  drift: drift?.tensor,
  entries: entries?.tensor,
});

/** Adds sums to others. */
function merge(to: FinishedSums, from: FinishedSums): void {
  for (const part of ["gram", "total", "drift", "entries"] as const) {
    const [sums, more] = [to[part]?.data, from[part]?.data];
    if (sums && more) for (let i = 0; i < sums.length; i++) sums[i]! += more[i]!;
  }
}

/** One sublayer of one layer while hidden states pass. */
class ProjectionPass {
  readonly #programs: LayerPrograms;
  readonly #name: Sublayer;
  readonly #layer: DecoderLayer;
  readonly #used: LayerWeights;
  readonly #tokenScale: boolean;

  constructor(programs: LayerPrograms, name: Sublayer, layer: DecoderLayer, scale: boolean) {
    this.#programs = programs;
    this.#name = name;
    this.#layer = layer;
    this.#used = sublayerWeights(name, programs.spec, layer);
    this.#tokenScale = scale;
  }

  get inputSize(): number {
    return projectionOf(this.#name, this.#layer).inputSize;
  }

  emptySums(hasTarget: boolean, weighsEntries: boolean): ProjectionSums {
    const { inputSize, outputSize } = projectionOf(this.#name, this.#layer);
    const all = new RunningSums();
    const [gram, total] = [all.gram(inputSize), all.sum([1, inputSize])];
    const drift = hasTarget ? all.sum([outputSize, inputSize]) : undefined;
    return { all, gram, total, drift, entries: weighsEntries ? all.sum([1, outputSize]) : undefined };
  }

  /** Adds a batch to sums; `inputs`, [tokens, inputSize], gets what enters the projection. */
  async add(
    sums: ProjectionSums,
    { batch, length, hidden }: HiddenBatch,
    target: HiddenBatch | undefined,
    inputs?: Tensor,
  ): Promise<void> {
    const { spec, programs } = this.#programs;
    const { sizes } = this.#layer;
    const context: LayerContext = { spec, sizes, batch, length };
    const options = { tokenScale: this.#tokenScale, keepsInputs: inputs !== undefined };
    const choices = [options.tokenScale, sums.drift !== undefined, sums.entries !== undefined, options.keepsInputs];
    const key = [`${this.#name} statistics`, ...choices, ...layerKey(context, this.#used)] as const;
    const program = await programs.get(key, () => statisticsGraph(this.#name, context, this.#used, sums, options));
    const isPlaced = takesPosition(this.#name, spec, this.#layer);
    const position = isPlaced ? this.#programs.position(sizes, length) : {};
    const given = { x: hidden, ...this.#used, ...position, ...(target && { target: target.hidden }) };
    await program.run({ ...given, ...sums.all.inputs }, { ...sums.all.outputs, ...(inputs && { inputs }) });
  }

  /** Makes a drift that holds all that was asked for one of what is missing, where that is done once for all tokens. */
  async takeOffWritten({ gram, total, drift }: FinishedSums): Promise<void> {
    const { weight, bias, outputNorm } = PROJECTION_ROLES[this.#name];
    if (drift === undefined || this.#used[outputNorm]) return;
    const used = Object.fromEntries(
      [weight, bias].flatMap((role) => (this.#used[role] ? [[role, this.#used[role]]] : [])),
    );
    const key = [`${this.#name} drift`, ...drift.shape, ...Object.keys(used)] as const;
    const program = await this.#programs.programs.get(key, () => driftGraph(this.#name, drift.shape, used));
    await program.run({ ...used, gram, total, asked: drift }, { drift });
  }
}

/** x [tokens, hiddenSize] enters the sublayer; `target`, where sums have a drift, is what should come out of it. */
function statisticsGraph(
  name: Sublayer,
  context: LayerContext,
  weights: LayerWeights,
  { gram, total, drift, entries }: ProjectionSums,
  options: { readonly tokenScale: boolean; readonly keepsInputs: boolean },
): Graph {
  const { spec, batch, length } = context;
  const graph = new Graph();
  const shape = [batch * length, spec.hiddenSize];
  const x = graph.input("x", shape);
  const values = declareWeights(graph, weights);
  const { inputs, normed, written, residual, hidden } = sublayer(name, context, x, values);
  const even = options.tokenScale ? mul(inputs, reciprocal(tokenScale(spec, written))) : inputs;
  gram.add(even);
  total.addRows(inputs);
  entries?.addRows(mul(normed, normed));
  if (options.keepsInputs) graph.output("inputs", inputs);
  if (drift === undefined) return graph;
  const target = graph.input("target", shape);
  const gain = outputGain(name, spec, values);
  // without a norm what the projection writes is taken off the sum (`driftGraph`)
  const unscaled = (value: Value): Value => scale(value, 1 / spec.residualScale);
  const missing = gain
    ? beforeNorm(spec, unscaled(sub(target, hidden)), unscaled(sub(hidden, residual)), gain)
    : unscaled(sub(target, residual));
  drift.addProduct(missing, even);
  return graph;
}

/**
 * The drift of a projection without a norm behind it: Σ e zᵀ = Σ (target − x) zᵀ − W Σ z zᵀ − b Σ zᵀ. What a norm asks of a
 * token depends on what is written for that token, and is summed as it is.
 *
 * @param shape [outputSize, inputSize]
 */
function driftGraph(name: Sublayer, [outputSize, inputSize]: readonly number[], weights: LayerWeights): Graph {
  const graph = new Graph();
  const values = declareWeights(graph, weights);
  const roles = PROJECTION_ROLES[name];
  const [weight, bias] = [values[roles.weight]!, values[roles.bias]];
  const total = graph.input("total", [1, inputSize!]);
  const asked = graph.input("asked", [outputSize!, inputSize!]);
  const left = gemm(weight, graph.input("gram", [inputSize!, inputSize!]), { alpha: -1, addTo: asked });
  graph.output("drift", bias ? gemm(reshape(bias, [outputSize!, 1]), total, { alpha: -1, addTo: left }) : left);
  return graph;
}

/** Gain of the norm behind the projection, where the family has one. */
function outputGain(name: Sublayer, spec: DecoderSpec, values: LayerValues): Value | undefined {
  const outputNorm = values[PROJECTION_ROLES[name].outputNorm];
  return outputNorm && shift(outputNorm, spec.normOffset);
}
