// Sums over calibration tokens at the projection that ends a sublayer, o_proj or down_proj, while hidden states pass: second moments
// of what enters it, and what it should write in addition to come near a target.
import { Graph, type Value } from "../../compute/graph.ts";
import { mul, reciprocal, scale, shift, sub } from "../../compute/operations/elementwise.ts";
import type { ReusedTensors } from "../../compute/reused-tensor.ts";
import { type GramSum, type RowSums, type RunningSum, RunningSums, rowParts } from "../../compute/running-sums.ts";
import { type Tensor, tensorRows } from "../../compute/tensor.ts";
import type { Span } from "../../linalg/gemm.ts";
import type { DecoderLayer, LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import type { Sublayer } from "../../model/spec/roles.ts";
import {
  isParallel,
  PROJECTION_ROLES,
  projectionOf,
  sublayer,
  sublayerWeights,
  takesPosition,
} from "../graphs/decoder-layer.ts";
import { declareWeights, type LayerContext, type LayerValues } from "../graphs/layer-values.ts";
import { type DeclaredParts, NeuronParts, rowsInParts } from "../graphs/neuron-parts.ts";
import { inputNorm } from "../graphs/norms.ts";
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
  /** z of each batch, [inputSize, tokens], where they were asked for. */
  readonly inputs: readonly Tensor[] | undefined;
}

/** z [inputSize] is what enters the projection, x [hiddenSize] what the sublayer's other projections read. */
export interface ProjectionSums {
  readonly all: RunningSums;
  readonly gram: GramSum; // Σ z zᵀ / u² [inputSize, inputSize]
  readonly total: RowSums; // Σ z [inputSize, 1]
  /** Of e, what should be written, Σ z eᵀ / u² [inputSize, outputSize]; where no norm follows, what is written is still in it. */
  readonly drift: RowSums | undefined;
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
      const kept = keepsInputsIn.of(inputs!.length, [projection.inputSize, state.batch * state.length]);
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
    const gram = all.gram(inputSize);
    const total = all.rows(gram.parts, 1);
    const drift = hasTarget ? all.rows(gram.parts, outputSize) : undefined;
    return { all, gram, total, drift, entries: weighsEntries ? all.sum([1, outputSize]) : undefined };
  }

  /** Adds a batch to sums; `inputs`, [inputSize, tokens], gets what enters the projection. */
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
    const weights = this.#isInParts ? new NeuronParts(this.#used, sums.gram.parts) : this.#used;
    const program = await programs.get(key, () => statisticsGraph(this.#name, context, weights, sums, options));
    const isPlaced = takesPosition(this.#name, spec, this.#layer);
    const position = isPlaced ? this.#programs.position(sizes, length) : {};
    const given = { x: hidden, ...position, ...(target && { target: target.hidden }) };
    const weightInputs = weights instanceof NeuronParts ? weights.inputs : weights;
    const kept =
      inputs && Object.fromEntries(sums.gram.parts.map((part, i) => [keptName(i), tensorRows(inputs, ...part)]));
    await program.run({ ...given, ...weightInputs, ...sums.all.inputs }, { ...sums.all.outputs, ...kept });
  }

  /** Whether the inputs are neurons of which nothing further is asked: what a norm behind them does takes all of them at once. */
  get #isInParts(): boolean {
    const { spec } = this.#programs;
    return this.#name === "mlp" && !this.#tokenScale && !this.#used.mlpOutputNorm && !isParallel(spec, this.#layer);
  }
}

/** Of what enters the projection, a part. */
const keptName = (part: number): string => `inputs ${part}`;

/** x [tokens, hiddenSize] enters the sublayer; `target`, where sums have a drift, is what should come out of it. */
function statisticsGraph(
  name: Sublayer,
  context: LayerContext,
  weights: LayerWeights | NeuronParts,
  { gram, total, drift, entries }: ProjectionSums,
  options: { readonly tokenScale: boolean; readonly keepsInputs: boolean },
): Graph {
  const { spec, batch, length } = context;
  const graph = new Graph();
  const shape = [batch * length, spec.hiddenSize];
  const x = graph.input("x", shape);
  const { inputs, even, normed, missing } =
    weights instanceof NeuronParts
      ? enteredInParts(spec, x, weights.declare(graph))
      : entered(name, context, x, declareWeights(graph, weights), gram.parts, options.tokenScale);
  gram.addRows(even);
  total.addTotals(inputs);
  entries?.addRows(mul(normed, normed));
  if (options.keepsInputs) for (const [i, part] of inputs.entries()) graph.output(keptName(i), part);
  drift?.addProducts(even, missing(graph.input("target", shape)));
  return graph;
}

/** What statistics are made of. */
interface Entered {
  /** z, in parts, each [its elements, tokens]. */
  readonly inputs: readonly Value[];
  /** z / u, likewise. */
  readonly even: readonly Value[];
  /** What the sublayer's other projections read. [tokens, hiddenSize] */
  readonly normed: Value;
  /** What should be written, from what should come out; without a norm what is written is taken off the sum (`driftGraph`). */
  readonly missing: (target: Value) => Value;
}

function entered(
  name: Sublayer,
  context: LayerContext,
  x: Value,
  values: LayerValues,
  parts: readonly Span[],
  scales: boolean,
): Entered {
  const { spec } = context;
  const { inputs: z, normed, written, residual, hidden } = sublayer(name, context, x, values);
  const inputs = rowParts(z, parts);
  const gain = outputGain(name, spec, values);
  const unscaled = (value: Value): Value => scale(value, 1 / spec.residualScale);
  return {
    inputs,
    even: scales ? rowParts(mul(z, reciprocal(tokenScale(spec, written))), parts) : inputs,
    normed,
    missing: (target) =>
      gain
        ? beforeNorm(spec, unscaled(sub(target, hidden)), unscaled(sub(hidden, residual)), gain)
        : unscaled(sub(target, residual)),
  };
}

/** Of the MLP's neurons, where no norm follows. */
function enteredInParts(spec: DecoderSpec, x: Value, values: DeclaredParts): Entered {
  const normed = inputNorm(spec, "mlp", x, values.rest);
  const inputs = rowsInParts(spec, normed, values);
  return { inputs, even: inputs, normed, missing: (target) => scale(sub(target, x), 1 / spec.residualScale) };
}

/** Gain of the norm behind the projection, where the family has one. */
function outputGain(name: Sublayer, spec: DecoderSpec, values: LayerValues): Value | undefined {
  const outputNorm = values[PROJECTION_ROLES[name].outputNorm];
  return outputNorm && shift(outputNorm, spec.normOffset);
}
