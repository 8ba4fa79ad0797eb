// How much the loss depends on the weights of each neuron, to first order: what the criterion "taylor" scores by.
import { givenLabels } from "../forward/backward/labels.ts";
import { type WeightGradients, weightGradients } from "../forward/backward/weight-gradients.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import { attentionOf, sizesOf } from "../model/spec/parts.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import type { RunContext } from "../run-context.ts";
import type { DenseRequest } from "./fisher-factors.ts";
import type { LayerArrays, MutableLayerArrays } from "./layer-arrays.ts";

/** The authors' own choice: few and short windows, since a gradient's mean needs less text than a second moment. */
const WINDOWS = 10;
const TOKENS = 64;

/** Σ |w · ∂L/∂w| of each neuron, f32 [intermediateSize], or of each element of the heads. */
export type WeightSensitivities = LayerArrays;

/** The sensitivities that the method needs, of every layer. */
export async function measureWeightSensitivities(
  { backend, scratch, signal, report }: RunContext,
  { model, windows, method }: DenseRequest,
): Promise<WeightSensitivities> {
  const runner = new LayerRunner(backend, model.spec);
  const { inputs, labels } = nextTokens(windows);
  const attention = method.backward.weightSensitivity === "both";
  const sensitivities: MutableLayerArrays = new Map();
  const total = model.spec.layers.length;
  report({ type: "stage", name: "gradient", done: 0, total });
  const request = { runner, model, windows: inputs, scratch, labels: givenLabels(labels), attention, signal };
  await weightGradients(request, async (found) => {
    sensitivities.set(found.index, {
      mlp: await scratch.put(ofNeurons(found)),
      ...(attention && attentionOf(found.layer.sizes) && { attention: await scratch.put(ofHeads(found)) }),
    });
    report({ type: "stage", name: "gradient", done: total - found.index, total });
  });
  await runner.release();
  return sensitivities;
}

/** The beginnings of some windows without their last token, and the token that follows each of theirs. */
function nextTokens({ ids, count, length }: TokenWindows): { inputs: TokenWindows; labels: Int32Array } {
  const some = Math.min(count, WINDOWS);
  const size = Math.min(length, TOKENS) - 1;
  const part = (offset: number): Int32Array<ArrayBuffer> =>
    Int32Array.from({ length: some * size }, (_, i) => ids[Math.floor(i / size) * length + (i % size) + offset]!);
  return { inputs: { ids: part(0), count: some, length: size }, labels: part(1) };
}

/** Over row j of gate_proj, row j of up_proj and column j of down_proj, for each neuron j. */
function ofNeurons(matrices: WeightGradients): Float32Array {
  const sums = new Float64Array(sizesOf(matrices.layer.sizes).intermediateSize);
  addRows(sums, matrices, "gateProj");
  addRows(sums, matrices, "upProj");
  addColumns(sums, matrices, "downProj");
  return Float32Array.from(sums);
}

/**
 * Over row j of q_proj and column j of o_proj, for each element j of the query heads; each also has its share of the rows of
 * k_proj and v_proj, which the heads of a group have in common.
 */
function ofHeads(matrices: WeightGradients): Float32Array {
  const { sizes, weights } = matrices.layer;
  const { numAttentionHeads, numKeyValueHeads } = sizesOf(sizes);
  const size = weights.oProj?.shape[1] ?? 0;
  const sums = new Float64Array(size);
  addRows(sums, matrices, "qProj");
  addRows(sums, matrices, "qGate");
  addColumns(sums, matrices, "oProj");
  const group = numAttentionHeads / numKeyValueHeads;
  const headDim = size / numAttentionHeads;
  const shared = new Float64Array(size / group);
  addRows(shared, matrices, "kProj");
  addRows(shared, matrices, "vProj");
  return Float32Array.from(sums, (sum, j) => {
    const groupIndex = Math.floor(j / (group * headDim));
    return sum + shared[groupIndex * headDim + (j % headDim)]! / group;
  });
}

type Matrices = Pick<WeightGradients, "layer" | "gradients">;

/** Adds the sum of |w · ∂L/∂w| of each row. */
function addRows(sums: Float64Array, matrices: Matrices, role: keyof WeightGradients["gradients"]): void {
  const products = productsOf(matrices, role);
  const width = products.length / sums.length;
  for (let i = 0; i < products.length; i++) sums[Math.floor(i / width)]! += products[i]!;
}

/** Adds the sum of |w · ∂L/∂w| of each column. */
function addColumns(sums: Float64Array, matrices: Matrices, role: keyof WeightGradients["gradients"]): void {
  const products = productsOf(matrices, role);
  for (let i = 0; i < products.length; i++) sums[i % sums.length]! += products[i]!;
}

/** |w · ∂L/∂w|; nothing of a matrix that is absent. */
const productsOf = (
  { layer: { weights }, gradients }: Matrices,
  role: keyof WeightGradients["gradients"],
): Float32Array =>
  gradients[role]?.data.map((gradient, i) => Math.abs(gradient * weights[role]!.data[i]!)) ?? new Float32Array();
