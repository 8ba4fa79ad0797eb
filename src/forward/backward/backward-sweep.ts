// Forward through all layers, then backward from the last to the first, with one layer's weights in memory; what enters the
// layers is put aside on the way forward and fetched on the way back.
import type { Program } from "../../compute/backend.ts";
import { differentiate } from "../../compute/differentiate.ts";
import { Graph, type Value } from "../../compute/graph.ts";
import { scale } from "../../compute/operations/elementwise.ts";
import type { RunningSums } from "../../compute/running-sums.ts";
import { type Tensor, tensor } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import { type DecoderLayer, type LayerWeights, readLayer } from "../../model/read-layer.ts";
import { type LayerIndex, layerIndices } from "../../model/spec/layer-index.ts";
import { mixtureOf } from "../../model/spec/parts.ts";
import { hasSublayer } from "../../model/spec/roles.ts";
import type { TokenWindows } from "../../model/spec/token-windows.ts";
import { sublayerWeights, type WholeLayer, wholeLayer } from "../graphs/decoder-layer.ts";
import { declareWeights, type LayerContext, type LayerValues } from "../graphs/layer-values.ts";
import { embed } from "../run/embed.ts";
import type { HiddenBatch, ResidentStates } from "../run/hidden-states.ts";
import type { LayerRunner } from "../run/layer-runner.ts";
import { layerKey, type ProgramKey } from "../run/programs.ts";
import type { Scratch, StoredArray } from "../run/scratch.ts";
import { lossGradient } from "./head-gradient.ts";
import type { Labels } from "./labels.ts";
import { mixtureGradient } from "./mixture-gradient.ts";

export interface BackwardRequest {
  readonly runner: LayerRunner;
  readonly model: Model;
  readonly windows: TokenWindows;
  readonly scratch: Scratch;
  /** What the loss asks for: Σ −log p(label) over the tokens. */
  readonly labels: Labels;
  readonly signal?: AbortSignal | undefined;
}

/** The layer that the gradient has come to. */
export interface BackwardStep {
  readonly index: LayerIndex;
  readonly layer: DecoderLayer;
  /** The hidden states that entered it, in bf16, batch by batch. [tokens, hiddenSize] */
  readonly entered: readonly StoredArray[];
  /** The gradient of the loss towards the layer's output, to become the one towards its input. */
  readonly gradients: ResidentStates;
}

/** Takes the gradient back from layer to layer; `stepBack` takes it through each, from the last to the first. */
export async function sweepBackward(
  request: BackwardRequest,
  stepBack: (step: BackwardStep) => Promise<void>,
): Promise<void> {
  const { model, signal } = request;
  const { entered, gradients } = await sweepForward(request);
  for (const index of layerIndices(model.spec).reverse()) {
    signal?.throwIfAborted();
    await stepBack({ index, layer: await readLayer(model, index), entered: entered[index]!, gradients });
  }
}

/** The gradient towards the last layer's output, and what entered each layer. */
async function sweepForward({
  runner,
  model,
  windows,
  scratch,
  labels,
  signal,
}: BackwardRequest): Promise<{ entered: StoredArray[][]; gradients: ResidentStates }> {
  const states = await embed(model, windows);
  const entered: StoredArray[][] = [];
  for (const index of layerIndices(model.spec)) {
    signal?.throwIfAborted();
    const stored: StoredArray[] = [];
    for (const { hidden } of states.batches) stored.push(await scratch.putRounded(hidden.data));
    entered.push(stored);
    await runner.layer(await readLayer(model, index), states); // no variable holds it while the next is read
  }
  return { entered, gradients: await lossGradient(runner.programs, model, states, labels) };
}

/** A value of a layer's graph towards which the gradient is wanted. */
export interface WantedGradient {
  readonly towards: Value;
  /** Adds to running sums what the gradient, of the shape of the value, contributes. */
  readonly add: (gradient: Value) => void;
}

/** What a pass through a layer sums on its way back. */
export interface BackwardSums {
  /** Determines, with the layer, what is wanted. */
  readonly key: ProgramKey;
  readonly sums: RunningSums;
  /** Called where a graph is to be built. */
  readonly wanted: (layer: WholeLayer, weights: LayerValues) => readonly WantedGradient[];
  /** What the gradient towards the output of a mixture of experts adds to the sums; where it is wanted. */
  readonly ofMixture?: ((gradient: Value) => void) | undefined;
}

/** Takes the gradient through one layer, which runs forward once more for it; a layer that has no sublayer hands it on as it is. */
export async function stepBackward(
  runner: LayerRunner,
  { layer, entered, gradients }: BackwardStep,
  wanted: BackwardSums,
): Promise<void> {
  const isEmpty = !hasSublayer("attention", layer.sizes) && !hasSublayer("mlp", layer.sizes);
  for (const [i, stored] of entered.entries())
    await gradients.update(i, async (batch) => {
      const { hidden: upstream } = batch;
      const x = tensor(await stored.take(), upstream.shape);
      if (isEmpty) return;
      if (mixtureOf(layer.sizes) === undefined) return stepBatch(runner, layer, x, batch, wanted);
      // through the mixture first, and then through what is before it
      const mixer: DecoderLayer = {
        sizes: { ...layer.sizes, channel: null },
        weights: sublayerWeights("attention", runner.spec, layer),
      };
      const { hidden: middle } = mixer.sizes.mixer
        ? await runner.attention(mixer, { ...batch, hidden: x })
        : { hidden: x };
      const towardsMixture = tensor(upstream.data.slice(), upstream.shape);
      upstream.data.set(await mixtureGradient(runner, layer, middle, upstream));
      await stepBatch(runner, mixer, x, batch, wanted, towardsMixture);
    });
}

/** One batch through a layer; its mixture, if it has one, has been gone through: `towardsMixture` is the gradient behind that. */
async function stepBatch(
  runner: LayerRunner,
  { sizes, weights }: DecoderLayer,
  x: Tensor,
  { batch, length, hidden: upstream }: HiddenBatch,
  { key, sums, wanted, ofMixture }: BackwardSums,
  towardsMixture?: Tensor,
): Promise<void> {
  const context: LayerContext = { spec: runner.spec, sizes, batch, length };
  const addMixture = towardsMixture && ofMixture;
  const program: Program = await runner.programs.get(
    [...key, addMixture !== undefined, ...layerKey(context, weights)],
    () => backwardGraph(context, weights, wanted, addMixture),
  );
  const given = { x, upstream, ...(addMixture && { towardsMixture: towardsMixture! }) };
  const inputs = { ...given, ...weights, ...runner.position(sizes, length), ...sums.inputs };
  const { towardsInput } = await program.run(inputs, sums.outputs);
  if (towardsInput) upstream.data.set(towardsInput.data as Float32Array);
}

/** From a layer's input x and the gradient `upstream` towards its output: the gradient towards x, and what is wanted. */
function backwardGraph(
  context: LayerContext,
  weights: LayerWeights,
  wanted: BackwardSums["wanted"],
  ofMixture: BackwardSums["ofMixture"],
): Graph {
  const { spec, batch, length } = context;
  const graph = new Graph();
  const shape = [batch * length, spec.hiddenSize];
  const x = graph.input("x", shape);
  const upstream = graph.input("upstream", shape);
  if (ofMixture) ofMixture(scale(graph.input("towardsMixture", shape), spec.residualScale));
  const values = declareWeights(graph, weights);
  const layer = wholeLayer(context, x, values);
  if (layer.hidden === x) return graph;
  const all = wanted(layer, values);
  const [towardsInput, ...gradients] = differentiate(
    graph,
    [[layer.hidden, upstream]],
    [x, ...all.map(({ towards }) => towards)],
  );
  graph.output("towardsInput", towardsInput!);
  for (const [i, { add }] of all.entries()) add(gradients[i]!);
  return graph;
}
