// What calibration tokens say of the experts of a mixture as wholes: how many go to each and how much it writes for them, and,
// where a criterion wants to know who steps in for whom, the inner products of what the experts of each token write.
import { Graph } from "../../compute/graph.ts";
import { reshape } from "../../compute/operations/elementwise.ts";
import { gemm, matmul, swapLast } from "../../compute/operations/linear.ts";
import { ReusedTensors } from "../../compute/reused-tensor.ts";
import { tensor } from "../../compute/tensor.ts";
import type { Rerouting, RoutedSums } from "../../linalg/routed-sums.ts";
import type { DecoderLayer } from "../../model/read-layer.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { mixtureOf } from "../../model/spec/parts.ts";
import { expertOutputs, type MixturePrograms, type TokenRoutes } from "./mixture.ts";
import { expertOrder, weighChosen } from "./routing.ts";
import type { StoredArray } from "./scratch.ts";

/** Of what experts write for some tokens, at most; these are in memory at once, a batch at least. */
const OUTPUT_BYTES = 256 * 2 ** 20;

/** Bytes of what experts write that is in memory at once, where batches have so many tokens. */
export const outputBytes = ({ hiddenSize }: DecoderSpec, tokens: number, known: number): number =>
  Math.max(OUTPUT_BYTES, 4 * tokens * (1 + known) * hiddenSize);

/** Tokens whose inner products are computed at once. */
const TOKENS_PER_PRODUCT = 128;

/** What is to be known of each token by itself. */
export interface WantedRerouting {
  /** Of how many experts of each token, in its order, what they write: those that it goes to and those that step in. */
  readonly known: number;
  /** The metric of the inner products, f32 [hiddenSize, hiddenSize]. */
  readonly metric: Float32Array;
  /** What the routed experts should write for the tokens of each batch, f32 [count, hiddenSize], put aside. */
  readonly targets: readonly Pick<StoredArray, "read">[];
}

/** Sums over all tokens of some batches; one expert at a time is in memory. */
export async function routedSums(
  programs: MixturePrograms,
  layer: DecoderLayer,
  batches: readonly TokenRoutes[],
  wanted: WantedRerouting | undefined,
): Promise<RoutedSums> {
  const { numExperts: experts, expertsPerToken: perToken } = mixtureOf(layer.sizes)!;
  const known = Math.min(experts, wanted?.known ?? perToken);
  const sums = emptySums(experts);
  const correction = layer.weights.routerCorrection?.data;
  const tokens = batches.map((routed, i) => ({
    routed,
    order: expertOrder(programs.spec.routing!, experts, routed.logits, correction),
    target: wanted?.targets[i],
  }));
  const products: Float32Array[] = [];
  const memory = wanted && new ReusedTensors();
  for (const round of rounds(tokens, known, programs.spec)) {
    const outputs = await addOutputs(programs, layer, round, { sums, known, memory });
    for (const vectors of outputs) products.push(await innerProducts(programs, vectors, 1 + known, wanted!.metric));
  }
  if (wanted === undefined) return sums;
  const of = { experts, perToken, known, routing: programs.spec.routing! };
  return { ...sums, rerouting: reroutingOf(of, tokens, joined(products)) };
}

/** A batch of tokens, the order in which they choose experts, and what these should write. */
interface OrderedTokens {
  readonly routed: TokenRoutes;
  readonly order: Uint16Array;
  readonly target: Pick<StoredArray, "read"> | undefined;
}

type Sums = Omit<RoutedSums, "rerouting">;

const emptySums = (experts: number): Sums => {
  const zeros = (): Float64Array => new Float64Array(experts);
  return { tokens: zeros(), norms: zeros(), squares: zeros(), weighed: zeros() };
};

/** Batches whose outputs are in memory together. */
function rounds(tokens: readonly OrderedTokens[], known: number, { hiddenSize }: DecoderSpec): OrderedTokens[][] {
  const all: OrderedTokens[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const batch of tokens) {
    const own = 4 * batch.routed.count * (1 + known) * hiddenSize;
    bytes += own;
    if (bytes > OUTPUT_BYTES) {
      all.push([]);
      bytes = own;
    }
    all.at(-1)!.push(batch);
  }
  return all;
}

interface OutputPass {
  readonly sums: Sums;
  readonly known: number;
  /** For what experts write, where it is kept: one memory for all rounds. */
  readonly memory: ReusedTensors | undefined;
}

/**
 * Sums what the experts of some tokens write. Where it is kept, of each batch the target and the first `known` outputs of each
 * token: f32 [count, 1 + known, hiddenSize], valid until the next round.
 */
async function addOutputs(
  programs: MixturePrograms,
  { experts }: DecoderLayer,
  batches: readonly OrderedTokens[],
  { sums, known, memory }: OutputPass,
): Promise<Float32Array[]> {
  const { hiddenSize } = programs.spec;
  const kept: Float32Array[] = [];
  for (const [i, batch] of memory ? batches.entries() : []) {
    const { data } = memory!.of(i, [batch.routed.count, 1 + known, hiddenSize]);
    await setTargets(data, batch, hiddenSize);
    kept.push(data);
  }
  for (let expert = 0; expert < experts!.count; expert++) {
    const places = batches.map((batch) => placesOf(expert, batch, experts!.count, known));
    if (places.every(({ tokens }) => tokens.length === 0)) continue;
    const weights = await experts!.read(expert);
    for (const [i, { routed }] of batches.entries()) {
      const { tokens, at } = places[i]!;
      const outputs = await expertOutputs(programs, weights, routed.normed, tokens);
      for (const [row, token] of tokens.entries()) {
        const output = outputs.subarray(row * hiddenSize, (row + 1) * hiddenSize);
        const weight = routed.weights[token * experts!.count + expert]!;
        if (routed.chosen[token * experts!.count + expert]! > 0) addTo(sums, expert, output, weight);
        kept[i]?.set(output, (token * (1 + known) + 1 + at[row]!) * hiddenSize);
      }
    }
  }
  return kept;
}

function addTo({ tokens, norms, squares, weighed }: Sums, expert: number, output: Float32Array, weight: number): void {
  let square = 0;
  for (const value of output) square += value * value;
  const norm = Math.sqrt(square);
  tokens[expert]! += 1;
  norms[expert]! += norm;
  squares[expert]! += square;
  weighed[expert]! += weight * norm;
}

/** The tokens that have an expert among their first `known`, ascending, and where in their order it stands. */
function placesOf(
  expert: number,
  { order, routed: { count } }: OrderedTokens,
  experts: number,
  known: number,
): { readonly tokens: Int32Array; readonly at: Int32Array } {
  const [tokens, at]: [number[], number[]] = [[], []];
  for (let token = 0; token < count; token++) {
    const place = order.subarray(token * experts, token * experts + known).indexOf(expert);
    if (place < 0) continue;
    tokens.push(token);
    at.push(place);
  }
  return { tokens: Int32Array.from(tokens), at: Int32Array.from(at) };
}

/** Puts what experts should write for each token in front of what they will be found to write. */
async function setTargets(
  all: Float32Array,
  { routed: { count }, target }: OrderedTokens,
  hiddenSize: number,
): Promise<void> {
  const values = await target!.read();
  const size = all.length / count;
  for (let token = 0; token < count; token++)
    all.set(values.subarray(token * hiddenSize, (token + 1) * hiddenSize), token * size);
}

/** v Mᵀ vᵀ of the vectors of each token, f32 [tokens, vectors, vectors]. */
async function innerProducts(
  { spec: { hiddenSize }, programs }: MixturePrograms,
  all: Float32Array,
  vectors: number,
  metric: Float32Array,
): Promise<Float32Array> {
  const size = vectors * hiddenSize;
  const products = new Float32Array((all.length / size) * vectors ** 2);
  for (let start = 0; start * size < all.length; start += TOKENS_PER_PRODUCT) {
    const some = all.subarray(start * size, (start + TOKENS_PER_PRODUCT) * size);
    const count = some.length / size;
    const program = await programs.get(["inner products", count, vectors], () =>
      productGraph(count, vectors, hiddenSize),
    );
    const found = await program.run({
      vectors: tensor(some, [count * vectors, hiddenSize]),
      metric: tensor(metric, [hiddenSize, hiddenSize]),
    });
    products.set(found.products!.data as Float32Array, start * vectors ** 2);
  }
  return products;
}

function productGraph(tokens: number, vectors: number, hiddenSize: number): Graph {
  const graph = new Graph();
  const rows = graph.input("vectors", [tokens * vectors, hiddenSize]);
  const measured = gemm(rows, graph.input("metric", [hiddenSize, hiddenSize]));
  const stacked = [tokens, vectors, hiddenSize];
  graph.output("products", matmul(reshape(measured, stacked), swapLast(reshape(rows, stacked))));
  return graph;
}

/** Parts of an array, one behind the other. */
function joined<A extends Float32Array | Uint16Array>(parts: readonly A[]): A {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const all = new (parts[0]!.constructor as new (length: number) => A)(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

interface MixtureRouting {
  readonly experts: number;
  readonly perToken: number;
  readonly known: number;
  readonly routing: NonNullable<DecoderSpec["routing"]>;
}

function reroutingOf(
  { experts, perToken, known, routing }: MixtureRouting,
  tokens: readonly OrderedTokens[],
  products: Float32Array,
): Rerouting {
  const logits = joined(tokens.map(({ routed }) => routed.logits));
  const order = joined(tokens.map((batch) => batch.order));
  const weights = new Float64Array(perToken);
  return {
    tokenCount: logits.length / experts,
    outputs: experts,
    perToken,
    order,
    known,
    products,
    dependsOnAll: routing.scores === "softmax" && routing.renormalised === undefined,
    weigh(token, chosen, gone) {
      weighChosen(routing, logits.subarray(token * experts, (token + 1) * experts), chosen, gone, weights);
      return weights;
    },
  };
}
