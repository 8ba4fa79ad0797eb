// Single-layer ablation: what one changed layer alone does to the prediction. Copies of the hidden states leave the unchanged
// stream, one at each layer, and all of them travel on through the unchanged layers in the same sweep.

import { embed } from "../forward/run/embed.ts";
import { compareHeads } from "../forward/run/head.ts";
import type { ResidentStates } from "../forward/run/hidden-states.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import type { Model } from "../model/model.ts";
import { type DecoderLayer, readLayer } from "../model/read-layer.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import { countParameters } from "../model/spec/parameters.ts";
import type { Sublayer } from "../model/spec/roles.ts";
import { type TokenWindows, windowsBetween, windowsOf } from "../model/spec/token-windows.ts";
import type { RunContext } from "../run-context.ts";
import type { DenseRequest } from "./fisher-factors.ts";
import { CLOSE_TOKENS, closelyAblated, ROUGH_TOKENS } from "./text-lengths.ts";

/** The layer as it is ablated; undefined where there is nothing to ablate. */
export type Ablation = (index: LayerIndex, layer: DecoderLayer) => Promise<DecoderLayer | undefined>;

/** The layer without one of its parts, or without both. */
export const withoutPart =
  (...parts: readonly Sublayer[]): Ablation =>
  async (_, { sizes, ...layer }) => ({
    ...layer,
    sizes: {
      ...sizes,
      mixer: parts.includes("attention") ? null : sizes.mixer,
      channel: parts.includes("mlp") ? null : sizes.channel,
    },
  });

const withoutLayer = withoutPart("attention", "mlp");

/**
 * The KL divergence without each layer, nats per token. Only the cheapest are measured on enough text to be told apart; the
 * others count as no cheaper than any of these.
 *
 * @param close how many are
 */
export async function ablateLayers(
  run: RunContext,
  request: DenseRequest,
  close: number = closelyAblated(request.model.spec.layers.length),
): Promise<number[]> {
  const rough = await measureAblations(run, request, ROUGH_TOKENS, withoutLayer);
  const order = [...rough.keys()].sort((a, b) => rough[a]! - rough[b]!);
  const candidates = new Set(order.slice(0, close));
  const costs = await measureAblations(run, request, CLOSE_TOKENS, async (index, layer) =>
    candidates.has(index) ? withoutLayer(index, layer) : undefined,
  );
  const most = Math.max(...costs);
  return costs.map((cost, index) => (candidates.has(index) ? cost : Math.max(rough[index]!, most)));
}

/**
 * KL divergence when one layer alone is ablated, per layer, nats per token; 0 where it is not. On windows that a refit has not
 * seen, as far as there are any, since a refit flatters itself on its own.
 */
export async function measureAblations(
  { backend, report, signal }: RunContext,
  { model, windows }: DenseRequest,
  tokens: number,
  ablate: Ablation,
): Promise<number[]> {
  const runner = new LayerRunner(backend, model.spec);
  const last = windowsBetween(windows, windows.count - windowsOf(tokens, windows), windows.count);
  const states = await embed(model, last);
  const ablated: (ResidentStates | undefined)[] = [];
  for (const index of layerIndices(model.spec)) {
    signal?.throwIfAborted();
    report({ type: "stage", name: "ablation", done: index, total: model.spec.layers.length });
    const changedBy = (layer: DecoderLayer): Promise<DecoderLayer | undefined> => ablate(index, layer);
    ablated.push(await passLayer(runner, await readLayer(model, index), changedBy, states, ablated));
  }
  signal?.throwIfAborted();
  const divergences = await divergencesFrom(runner, model, last, states, ablated);
  await runner.release();
  return divergences;
}

/** Takes all states through a layer. Returns those that leave the unchanged stream at it. */
async function passLayer(
  runner: LayerRunner,
  layer: DecoderLayer,
  changedBy: (layer: DecoderLayer) => Promise<DecoderLayer | undefined>,
  states: ResidentStates,
  ablated: readonly (ResidentStates | undefined)[],
): Promise<ResidentStates | undefined> {
  for (const other of ablated) if (other) await runner.layer(layer, other);
  const changed = await changedBy(layer);
  const copy = changed && states.copy();
  if (copy) await runner.layer(changed, copy);
  await runner.layer(layer, states);
  return copy;
}

/** Mean divergence of the predictions from hidden states after the last layer to those from the dense ones. */
async function divergencesFrom(
  { programs }: LayerRunner,
  model: Model,
  windows: TokenWindows,
  states: ResidentStates,
  ablated: readonly (ResidentStates | undefined)[],
): Promise<number[]> {
  const stride = headStride(model.spec);
  const judged = ({ all }: ResidentStates): Float32Array => everyNth(all, model.spec.hiddenSize, stride);
  const dense = { model, hidden: judged(states) };
  const changed = ablated.filter((copy) => copy !== undefined).map(judged);
  const compared = (await compareHeads(programs, model, changed, dense, everyNth(windows.ids, 1, stride))).values();
  return ablated.map((copy) => (copy === undefined ? 0 : mean(compared.next().value!.divergence)));
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Tokens apart that are judged at least: fewer would say too little. */
const MOST_STRIDE = 4;

/**
 * Every how many-th token is judged: with a large vocabulary the head, which each copy needs twice, would take longer than the
 * layers, half of which each copy goes through on average.
 */
function headStride(spec: DecoderSpec): number {
  const head = 2 * spec.vocabSize * spec.hiddenSize;
  const layers = countParameters(spec).decoderMatrices / 2;
  return Math.min(MOST_STRIDE, Math.max(1, Math.round(head / layers)));
}

/** Rows stride − 1, 2 · stride − 1, …: never the first of a window alone, which often is not like the others. */
function everyNth<Rows extends Float32Array | Int32Array>(rows: Rows, width: number, stride: number): Rows {
  if (stride === 1) return rows;
  const count = Math.floor(rows.length / width / stride);
  const taken = rows.slice(0, count * width) as Rows;
  for (let i = 0; i < count; i++) {
    const row = (i + 1) * stride - 1;
    taken.set(rows.subarray(row * width, (row + 1) * width), i * width);
  }
  return taken;
}
