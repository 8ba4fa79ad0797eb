// A mixture of experts over hidden states: tokens are gathered by expert, so that one expert at a time is in memory.
import { type Tensor, tensor } from "../../compute/tensor.ts";
import { gatherColumns, gatherRows } from "../../linalg/gather.ts";
import type { DecoderLayer, LayerWeights } from "../../model/read-layer.ts";
import { mixtureOf } from "../../model/spec/parts.ts";
import { sublayerWeights } from "../graphs/decoder-layer.ts";
import { expertGraph, expertWeightsGraph, routerGraph } from "../graphs/mixture.ts";
import type { HiddenStates } from "./hidden-states.ts";
import type { LayerPrograms } from "./programs.ts";
import { chooseExperts } from "./routing.ts";

/** Tokens that are routed before the experts are gone through: each expert is read once for all of them. */
const TOKENS_PER_ROUND = 16_384;

/** Tokens that go through an expert at once. */
export const TOKENS_PER_RUN = 2048;

/** The model that a mixture belongs to, and its compiled graphs. */
export type MixturePrograms = Pick<LayerPrograms, "spec" | "programs">;

/** Tokens on their way through a mixture. */
export interface RoutedTokens {
  readonly count: number;
  /** What the experts read, f32 [count, hiddenSize]. */
  readonly normed: Float32Array;
  /** Of the router, f32 [count, experts]. */
  readonly logits: Float32Array;
  /** 1 where a token goes to an expert, else 0, f32 [count, experts]. */
  readonly chosen: Float32Array;
  /** What the output of each expert counts, 0 where it is not chosen, f32 [count, experts]. */
  readonly weights: Float32Array;
  /** What is written so far: by the shared expert, else zeros. f32 [count, hiddenSize] */
  readonly written: Float32Array;
}

/** Routes the tokens of one batch, which stay as they are. */
export async function routeBatch(
  { spec, programs }: MixturePrograms,
  layer: DecoderLayer,
  x: Tensor<Float32Array>,
): Promise<RoutedTokens> {
  const [count] = x.shape as [number];
  const used = sublayerWeights("mlp", spec, layer);
  const key = shapesOf(used);
  const program = await programs.get(["router", count, ...key], () => routerGraph(spec, count, used));
  const { normed, logits, shared } = await program.run({ x, ...used });
  const routed = await weighExperts({ spec, programs }, layer, logits!.data as Float32Array);
  return {
    count,
    ...routed,
    normed: normed!.data as Float32Array,
    written: (shared?.data as Float32Array | undefined) ?? new Float32Array(count * spec.hiddenSize),
  };
}

/** Chooses experts by router logits, f32 [tokens, experts], and weighs them. */
export async function weighExperts(
  { spec, programs }: MixturePrograms,
  { sizes, weights }: DecoderLayer,
  logits: Float32Array,
): Promise<Pick<RoutedTokens, "logits" | "chosen" | "weights">> {
  const mixture = mixtureOf(sizes)!;
  const { numExperts } = mixture;
  const count = logits.length / numExperts;
  const chosen = chooseExperts(spec, mixture, logits, weights.routerCorrection?.data);
  const program = await programs.get(["expert weights", count, numExperts], () =>
    expertWeightsGraph(spec.routing!, count, numExperts),
  );
  const shape = [count, numExperts];
  const found = await program.run({ logits: tensor(logits, shape), chosen: tensor(chosen, shape) });
  return { logits, chosen, weights: found.weights!.data as Float32Array };
}

/** Tokens whose way is known, before anything is written. */
export type TokenRoutes = Omit<RoutedTokens, "written">;

/** Tokens routed anew where only some experts are left. @param layer with the experts `kept` alone */
export async function routeAmong(
  programs: MixturePrograms,
  layer: DecoderLayer,
  kept: Int32Array,
  batches: readonly TokenRoutes[],
): Promise<TokenRoutes[]> {
  const routes: TokenRoutes[] = [];
  for (const { count, normed, logits } of batches) {
    const left = gatherColumns(logits, logits.length / count, kept);
    routes.push({ count, normed, ...(await weighExperts(programs, layer, left)) });
  }
  return routes;
}

/** What the experts of a layer write together, batch by batch, without one that is shared. f32 [count, hiddenSize] */
export async function routedOutputs(
  programs: MixturePrograms,
  layer: DecoderLayer,
  batches: readonly TokenRoutes[],
): Promise<Float32Array[]> {
  const empty = batches.map((batch) => ({ ...batch, written: new Float32Array(batch.normed.length) }));
  await addExperts(programs, layer, empty);
  return empty.map(({ written }) => written);
}

/** The tokens that go to an expert, ascending. */
export function tokensOf(expert: number, { chosen, count }: Pick<RoutedTokens, "chosen" | "count">): Int32Array {
  const experts = chosen.length / count;
  return Int32Array.from({ length: count }, (_, token) => token).filter(
    (token) => chosen[token * experts + expert]! > 0,
  );
}

/**
 * What an expert writes for some tokens. f32 [tokens.length, hiddenSize]
 *
 * @param weights of the expert, by the roles of an MLP
 * @param normed  f32 [count, hiddenSize]
 */
export async function expertOutputs(
  { spec, programs }: MixturePrograms,
  weights: LayerWeights,
  normed: Float32Array,
  tokens: Int32Array,
): Promise<Float32Array> {
  const { hiddenSize } = spec;
  const outputs = new Float32Array(tokens.length * hiddenSize);
  for (let start = 0; start < tokens.length; start += TOKENS_PER_RUN) {
    const some = tokens.subarray(start, start + TOKENS_PER_RUN);
    const height = paddedCount(some.length);
    const program = await programs.get(["expert", height, ...shapesOf(weights)], () =>
      expertGraph(spec, height, weights),
    );
    const { written } = await program.run({ normed: paddedRows(normed, hiddenSize, some, height), ...weights });
    const values = written!.data as Float32Array;
    outputs.set(values.subarray(0, some.length * hiddenSize), start * hiddenSize);
  }
  return outputs;
}

/** Rows for which a graph is compiled: a few sizes serve all numbers of tokens, at a sixth more rows at most. */
export function paddedCount(count: number): number {
  const step = 2 ** Math.max(0, Math.ceil(Math.log2(count)) - 3);
  return Math.ceil(count / step) * step;
}

/** Some rows of a matrix, and zeros up to `height` rows. */
export function paddedRows(
  values: Float32Array,
  width: number,
  rows: Int32Array,
  height: number,
): Tensor<Float32Array> {
  const padded = new Float32Array(height * width);
  padded.set(gatherRows(values, width, rows));
  return tensor(padded, [height, width]);
}

/** What a graph of weights is fixed to. */
export const shapesOf = (weights: LayerWeights): string[] =>
  Object.entries(weights).map(([role, { shape }]) => `${role} ${shape.join(" ")}`);

/** The mixture of a layer with its residual, in place. */
export async function runMixture(programs: MixturePrograms, layer: DecoderLayer, states: HiddenStates): Promise<void> {
  let round: { readonly index: number; readonly tokens: RoutedTokens }[] = [];
  let count = 0;
  for (let index = 0; index < states.batchCount; index++) {
    const tokens = await states.read(index, ({ hidden }) => routeBatch(programs, layer, hidden));
    round.push({ index, tokens });
    count += tokens.count;
    if (count < TOKENS_PER_ROUND && index < states.batchCount - 1) continue;
    await addExperts(
      programs,
      layer,
      round.map(({ tokens }) => tokens),
    );
    for (const { index, tokens } of round)
      await states.update(index, async (batch) =>
        addWritten(batch.hidden, tokens.written, programs.spec.residualScale),
      );
    round = [];
    count = 0;
  }
}

/** The same of tokens that are all in memory: x [tokens, hiddenSize] enters, and is what comes out. */
export async function passMixture(
  programs: MixturePrograms,
  layer: DecoderLayer,
  x: Tensor<Float32Array>,
): Promise<void> {
  const tokens = await routeBatch(programs, layer, x);
  await addExperts(programs, layer, [tokens]);
  addWritten(x, tokens.written, programs.spec.residualScale);
}

/** Adds what the chosen experts write. */
export async function addExperts(
  programs: MixturePrograms,
  { experts }: DecoderLayer,
  batches: readonly RoutedTokens[],
): Promise<void> {
  for (let expert = 0; expert < experts!.count; expert++) {
    const tokens = batches.map((batch) => tokensOf(expert, batch));
    if (tokens.every(({ length }) => length === 0)) continue;
    const weights = await experts!.read(expert);
    for (const [i, batch] of batches.entries()) {
      if (tokens[i]!.length === 0) continue;
      const outputs = await expertOutputs(programs, weights, batch.normed, tokens[i]!);
      scatterWeighted(batch, expert, experts!.count, tokens[i]!, outputs);
    }
  }
}

/** Adds each output, times its weight, to its token. */
function scatterWeighted(
  { written, weights }: RoutedTokens,
  expert: number,
  count: number,
  tokens: Int32Array,
  outputs: Float32Array,
): void {
  const width = outputs.length / tokens.length;
  for (let row = 0; row < tokens.length; row++) {
    const token = tokens[row]!;
    const weight = weights[token * count + expert]!;
    const to = written.subarray(token * width, (token + 1) * width);
    const from = outputs.subarray(row * width, (row + 1) * width);
    for (let i = 0; i < width; i++) to[i]! += weight * from[i]!;
  }
}

function addWritten({ data }: Tensor<Float32Array>, written: Float32Array, scale: number): void {
  for (let i = 0; i < data.length; i++) data[i]! += scale * written[i]!;
}
