// The gradient of the log-loss through the output head, vocabulary tile by vocabulary tile.
import type { Program } from "../../compute/backend.ts";
import { differentiate } from "../../compute/differentiate.ts";
import { Graph } from "../../compute/graph.ts";
import { exp, gemm, linear, sub } from "../../compute/operations/index.ts";
import { tensor } from "../../compute/tensor.ts";
import type { Model } from "../../model/model.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import { norm } from "../graphs/decoder-layer.ts";
import { runHead } from "../run/head.ts";
import { type HeadTile, headTiles, readFinalNorm } from "../run/head-tiles.ts";
import type { ProgramCache } from "../run/programs.ts";
import type { Labels } from "./labels.ts";

const TOKENS_PER_RUN = 512;

/**
 * Gradient of Σ −log p(label) over the tokens, towards the hidden states before the final norm.
 *
 * @param hidden [tokens, hiddenSize], overwritten by the gradient
 */
export async function lossGradient(
  programs: ProgramCache,
  model: Model,
  hidden: Float32Array,
  labels: Labels,
): Promise<void> {
  const { hiddenSize } = model.spec;
  const tokens = hidden.length / hiddenSize;
  const { logSumExp } = await runHead(programs, { model, hidden }, new Int32Array(tokens));
  const towardsNormed = new Float32Array(hidden.length);
  const finalNorm = await readFinalNorm(model);
  for await (const tile of headTiles(model)) {
    for (let first = 0; first < tokens; first += TOKENS_PER_RUN) {
      const count = Math.min(TOKENS_PER_RUN, tokens - first);
      const rows = (data: Float32Array): Float32Array =>
        data.subarray(first * hiddenSize, (first + count) * hiddenSize);
      const part = (data: Float32Array) => tensor(rows(data), [count, hiddenSize]);
      const size = tile.weight.shape[0]!;
      const forward = await programs.get(`probabilities ${count} ${size}`, () =>
        probabilitiesGraph(model.spec, count, size),
      );
      const scale = tensor(Float32Array.from(logSumExp.subarray(first, first + count)), [count, 1]);
      const { probabilities } = await forward.run({ hidden: part(hidden), finalNorm, head: tile.weight, scale });
      labels.visit(first, probabilities!.data as Float32Array, tile.start, size);
      const backward = await programs.get(`towards normed ${count} ${size}`, () =>
        towardsNormedGraph(hiddenSize, count, size),
      );
      await backward.run(
        { probabilities: probabilities!, head: tile.weight, before: part(towardsNormed) },
        { after: part(towardsNormed) },
      );
    }
  }
  await throughNorm(programs, model, hidden, towardsNormed, finalNorm);
}

function probabilitiesGraph(spec: DecoderSpec, count: number, rows: number): Graph {
  const graph = new Graph();
  const x = norm(spec, graph.input("hidden", [count, spec.hiddenSize]), graph.input("finalNorm", [spec.hiddenSize]));
  const logits = linear(x, graph.input("head", [rows, spec.hiddenSize]));
  graph.output("probabilities", exp(sub(logits, graph.input("scale", [count, 1]))));
  return graph;
}

function towardsNormedGraph(hiddenSize: number, count: number, rows: number): Graph {
  const graph = new Graph();
  const probabilities = graph.input("probabilities", [count, rows]);
  const head = graph.input("head", [rows, hiddenSize]);
  graph.output("after", gemm(probabilities, head, { addTo: graph.input("before", [count, hiddenSize]) }));
  return graph;
}

/** Through the final norm, in chunks; the hidden states become their gradient. */
async function throughNorm(
  programs: ProgramCache,
  model: Model,
  hidden: Float32Array,
  towardsNormed: Float32Array,
  finalNorm: HeadTile["weight"],
): Promise<void> {
  const { spec } = model;
  const step = TOKENS_PER_RUN * spec.hiddenSize;
  for (let start = 0; start < hidden.length; start += step) {
    const part = hidden.subarray(start, start + step);
    const shape = [part.length / spec.hiddenSize, spec.hiddenSize];
    const program: Program = await programs.get(`norm gradient ${shape[0]}`, () => normGradientGraph(spec, shape[0]!));
    const upstream = tensor(towardsNormed.subarray(start, start + step), shape);
    part.set((await program.run({ hidden: tensor(part, shape), finalNorm, upstream })).gradient!.data as Float32Array);
  }
}

function normGradientGraph(spec: DecoderSpec, count: number): Graph {
  const graph = new Graph();
  const x = graph.input("hidden", [count, spec.hiddenSize]);
  const y = norm(spec, x, graph.input("finalNorm", [spec.hiddenSize]));
  graph.output("gradient", differentiate(graph, [[y, graph.input("upstream", y.shape)]], [x])[0]!);
  return graph;
}
