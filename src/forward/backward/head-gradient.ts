// The gradient of the log-loss through the output head, vocabulary tile by vocabulary tile.
import { differentiate } from "../../compute/differentiate.ts";
import { Graph } from "../../compute/graph.ts";
import { exp, mul, sub } from "../../compute/operations/elementwise.ts";
import { ReusedTensor } from "../../compute/reused-tensor.ts";
import { tensor } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import {
  capSlope,
  type FinalNormInputs,
  type FinalNormWeights,
  finalNorm,
  tileLogits,
  towardsNormed,
} from "../graphs/head.ts";
import { type HeadInput, headInputs, runHead, tokenRanges, tokenRows } from "../run/head.ts";
import { type HeadTile, readFinalNorm, readTile, tileRanges } from "../run/head-tiles.ts";
import type { ResidentStates } from "../run/hidden-states.ts";
import type { ProgramCache } from "../run/programs.ts";
import type { Labels } from "./labels.ts";

/** What all passes through one head share. */
interface HeadPass {
  readonly programs: ProgramCache;
  readonly input: HeadInput;
  readonly norm: FinalNormWeights;
  /** Where the probabilities of some tokens in a tile go. */
  readonly memory: ReusedTensor;
}

/** Gradient of Σ −log p(label) over the tokens, towards the hidden states before the final norm. */
export async function lossGradient(
  programs: ProgramCache,
  model: Model,
  states: ResidentStates,
  labels: Labels,
): Promise<ResidentStates> {
  const input = { model, hidden: states.all };
  const tokens = states.all.length / model.spec.hiddenSize;
  const { logSumExp } = await runHead(programs, input, new Int32Array(tokens));
  const gradients = states.withValues(new Float32Array(states.all.length));
  const pass: HeadPass = { programs, input, norm: await readFinalNorm(model), memory: new ReusedTensor() };
  for (const range of tileRanges(model.spec))
    await throughTile(pass, await readTile(model, range), logSumExp, labels, gradients.all);
  await throughNorm(pass, gradients.all);
  return gradients;
}

/** Adds what a tile contributes to the gradients towards the normed states. [tokens, hiddenSize] */
async function throughTile(
  { programs, input, norm, memory }: HeadPass,
  tile: HeadTile,
  logSumExp: Float64Array,
  labels: Labels,
  gradients: Float32Array,
): Promise<void> {
  const { spec } = input.model;
  const size = tile.end - tile.start;
  for (const tokens of tokenRanges(logSumExp.length)) {
    const { first, count } = tokens;
    const forward = await programs.get(["probabilities", count, size], () => probabilitiesGraph(spec, count, size));
    const scale = tensor(Float32Array.from(logSumExp.subarray(first, first + count)), [count, 1]);
    const probabilities = memory.of([count, size]);
    const given = { ...headInputs(input, tokens, norm, tile), scale };
    const { slope } = await forward.run(given, { probabilities });
    labels.visit(first, probabilities.data, tile.start, size);
    const backward = await programs.get(["towards normed", count, size], () => towardsNormedGraph(spec, count, size));
    const sofar = tokenRows(gradients, tokens, spec.hiddenSize);
    await backward.run({ probabilities, ...(slope && { slope }), head: tile.weight, before: sofar }, { after: sofar });
  }
}

function probabilitiesGraph(spec: DecoderSpec, count: number, rows: number): Graph {
  const graph = new Graph();
  const logits = tileLogits(graph, spec, count, rows);
  graph.output("probabilities", exp(sub(logits, graph.input("scale", [count, 1]))));
  if (spec.logitCap !== undefined) graph.output("slope", capSlope(logits, spec.logitCap));
  return graph;
}

function towardsNormedGraph(spec: DecoderSpec, count: number, rows: number): Graph {
  const graph = new Graph();
  const towardsLogits = graph.input("probabilities", [count, rows]); // less 1 at the label
  const uncapped =
    spec.logitCap === undefined ? towardsLogits : mul(towardsLogits, graph.input("slope", [count, rows]));
  const head = graph.input("head", [rows, spec.hiddenSize]);
  graph.output("after", towardsNormed(spec, uncapped, head, graph.input("before", [count, spec.hiddenSize])));
  return graph;
}

/** Through the final norm: the gradient towards the normed states becomes the one towards the states before it, in place. */
async function throughNorm({ programs, input, norm }: HeadPass, gradients: Float32Array): Promise<void> {
  const { spec } = input.model;
  for (const range of tokenRanges(gradients.length / spec.hiddenSize)) {
    const program = await programs.get(["norm gradient", range.count], () => normGradientGraph(spec, range.count));
    const inputs: FinalNormInputs = { hidden: tokenRows(input.hidden, range, spec.hiddenSize), ...norm };
    const upstream = tokenRows(gradients, range, spec.hiddenSize);
    const { gradient } = await program.run({ ...inputs, upstream });
    upstream.data.set(gradient!.data as Float32Array);
  }
}

function normGradientGraph(spec: DecoderSpec, count: number): Graph {
  const graph = new Graph();
  const { hidden, normed } = finalNorm(graph, spec, count);
  graph.output("gradient", differentiate(graph, [[normed, graph.input("upstream", normed.shape)]], [hidden])[0]!);
  return graph;
}
