// How much the loss depends on the weights of each neuron, to first order: what the criterion "taylor" scores by.
import type { StageEvent } from "./events/common.ts";
import { givenLabels } from "./forward/labels.ts";
import { LayerRunner } from "./forward/layer-runner.ts";
import { type WeightGradients, weightGradients } from "./forward/weight-gradient.ts";
import type { TokenWindows } from "./model/token-windows.ts";
import type { LossRequest } from "./sense-loss.ts";

/** The authors' own choice: few and short windows, since a gradient's mean needs less text than a covariance. */
const WINDOWS = 10;
const TOKENS = 64;

/** Where Σ |w · ∂L/∂w| of a layer's neurons waits in the scratch space. */
export const sensitivityKey = (index: number): string => `sensitivity ${index}`;

/** Puts the sensitivity of every layer's neurons, f32 [intermediateSize], into the scratch space. */
export async function* senseWeights({
  backend,
  model,
  windows,
  scratch,
  signal,
}: Pick<LossRequest, "backend" | "model" | "windows" | "scratch" | "signal">): AsyncGenerator<StageEvent> {
  const runner = new LayerRunner(backend, model.spec);
  const { inputs, labels } = nextTokens(windows);
  const total = model.spec.layers.length;
  yield { type: "stage", name: "gradient", done: 0, total };
  const request = { runner, model, windows: inputs, scratch, labels: givenLabels(labels), signal };
  for await (const layer of weightGradients(request)) {
    await scratch.put(sensitivityKey(layer.index), sensitivity(layer));
    yield { type: "stage", name: "gradient", done: total - layer.index, total };
  }
  await runner.release();
}

/** The beginnings of some windows without their last token, and the token that follows each of theirs. */
function nextTokens({ ids, count, length }: TokenWindows): { inputs: TokenWindows; labels: Int32Array } {
  const some = Math.min(count, WINDOWS);
  const size = Math.min(length, TOKENS) - 1;
  const part = (offset: number): Int32Array<ArrayBuffer> =>
    Int32Array.from({ length: some * size }, (_, i) => ids[Math.floor(i / size) * length + (i % size) + offset]!);
  return { inputs: { ids: part(0), count: some, length: size }, labels: part(1) };
}

/** Σ |w · ∂L/∂w| over row j of gate_proj, row j of up_proj and column j of down_proj, for each neuron j. */
function sensitivity({ layer, weights, gradients }: WeightGradients): Float32Array {
  const size = layer.intermediateSize;
  const sums = new Float64Array(size);
  const products = (role: keyof typeof gradients): Float32Array =>
    gradients[role]!.data.map((gradient, i) => Math.abs(gradient * weights[role]!.data[i]!));
  if (size === 0) return new Float32Array();
  const hiddenSize = weights.gateProj!.shape[1]!;
  for (const rows of [products("gateProj"), products("upProj")])
    for (let i = 0; i < rows.length; i++) sums[Math.floor(i / hiddenSize)]! += rows[i]!;
  const columns = products("downProj");
  for (let i = 0; i < columns.length; i++) sums[i % size]! += columns[i]!;
  return Float32Array.from(sums);
}
