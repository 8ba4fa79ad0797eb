// Sums over calibration tokens at the projection that ends a sublayer, o_proj or down_proj, while hidden states pass: second moments
// of what enters it, and what it should write in addition to come near a target.
import { Graph, type Value } from "../../compute/graph.ts";
import { mul, reciprocal, scale, shift, sub } from "../../compute/operations/elementwise.ts";
import type { ReusedTensors } from "../../compute/reused-tensor.ts";
import { type GramSum, type RunningSum, RunningSums } from "../../compute/running-sums.ts";
import type { Tensor } from "../../compute/tensor.ts";
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

/** What has been summed, over all tokens and over those held out. */
export interface GatheredSums {
  readonly tokenCount: number;
  readonly whole: ProjectionSums;
  readonly heldOut: ProjectionSums | undefined;
  /** z of each batch, [tokens, inputSize], where they were asked for. */
  readonly inputs: readonly Tensor[] | undefined;
}

/** z [inputSize] is what enters the projection, x [hiddenSize] what the sublayer's other projections read. */
export interface ProjectionSums {
  readonly all: RunningSums;
  readonly gram: GramSum; // Σ z zᵀ / u² [inputSize, inputSize]
  readonly total: RunningSum; // Σ z [1, inputSize]
  /** Of e, what should be written, Σ e zᵀ / u² [outputSize, inputSize]; without what is written where no norm follows. */
  readonly drift: RunningSum | undefined;
  readonly entries: RunningSum | undefined; // Σ x² [1, hiddenSize]
}

/** Sums over states that stand before the sublayer and stay as they are. */
export async function gatherSums(
  programs: LayerPrograms,
  name: Sublayer,
  layer: DecoderLayer,
  states: HiddenStates,
  { target, tokenScale, holdsOut, keepsInputsIn, weighsEntries = false }: WantedStatistics,
): Promise<GatheredSums> {
  const projection = new ProjectionPass(programs, name, layer, tokenScale);
  const whole = projection.emptySums(target !== undefined, weighsEntries);
  const heldOut = holdsOut && target !== undefined ? projection.emptySums(true, weighsEntries) : undefined;
  const keepsInputs = keepsInputsIn !== undefined && heldOut === undefined;
  const inputs: Tensor[] | undefined = keepsInputs ? [] : undefined;
  let tokenCount = 0;
  const addBatch = async (state: HiddenBatch, wanted: HiddenBatch | undefined): Promise<void> => {
    tokenCount += state.batch * state.length;
    if (heldOut && state.batch > 1) {
      await projection.add(whole, sliceOf(state, 0, -1), wanted && sliceOf(wanted, 0, -1));
      await projection.add(heldOut, sliceOf(state, -1), wanted && sliceOf(wanted, -1));
    } else if (keepsInputs) {
      const kept = keepsInputsIn.of(inputs!.length, [state.batch * state.length, projection.inputSize]);
      await projection.add(whole, state, wanted, kept);
      inputs!.push(kept);
    } else await projection.add(whole, state, wanted);
  };
  for (let i = 0; i < states.batchCount; i++)
    await states.read(i, (state) =>
      target ? target.read(i, (wanted) => addBatch(state, wanted)) : addBatch(state, undefined),
    );
  if (heldOut) whole.all.merge(heldOut.all);
  return { tokenCount, whole, heldOut, inputs };
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

/** Gain of the norm behind the projection, where the family has one. */
function outputGain(name: Sublayer, spec: DecoderSpec, values: LayerValues): Value | undefined {
  const outputNorm = values[PROJECTION_ROLES[name].outputNorm];
  return outputNorm && shift(outputNorm, spec.normOffset);
}
