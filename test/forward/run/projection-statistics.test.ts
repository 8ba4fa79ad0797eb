import { describe, expect, test } from "vitest";
import { ReusedTensors } from "../../../src/compute/reused-tensor.ts";
import { projectionOf } from "../../../src/forward/graphs/decoder-layer.ts";
import { embed } from "../../../src/forward/run/embed.ts";
import type { ResidentStates } from "../../../src/forward/run/hidden-states.ts";
import { LayerRunner } from "../../../src/forward/run/layer-runner.ts";
import type { ProjectionStatistics } from "../../../src/linalg/projection.ts";
import { referenceGemm } from "../../../src/linalg/reference-gemm.ts";
import { type Model, openModel } from "../../../src/model/model.ts";
import { type DecoderLayer, readLayer } from "../../../src/model/read-layer.ts";
import { normsOutputs } from "../../../src/model/spec/decoder-spec.ts";
import { layerIndices } from "../../../src/model/spec/layer-index.ts";
import { nodeBackend } from "../../../src/node/host.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { refitColumns } from "../../../src/recover/least-squares.ts";
import { expectedLogits, tinyPath } from "../../helpers/fixtures.ts";

const distance = (a: ResidentStates, b: ResidentStates): number =>
  a.all.reduce((sum, value, i) => sum + (value - b.all[i]!) ** 2, 0);

const largest = (values: Float32Array): number => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

const difference = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => value - b[i]!);

/** Runs a test on the first layer of a tiny model. */
async function withLayer(
  family: string,
  use: (model: Model, runner: LayerRunner, layer: DecoderLayer) => Promise<void>,
): Promise<void> {
  const checkpoint = await openPath(tinyPath(family));
  const model = await openModel(checkpoint);
  const runner = new LayerRunner(nodeBackend(1), model.spec);
  await use(model, runner, await readLayer(model, layerIndices(model.spec)[0]!));
  await Promise.all([runner.release(), checkpoint.close()]);
}

/** Hidden states of `count` windows from window `first` on. */
function statesOf(model: Model, family: string, first = 0, count = 2): Promise<ResidentStates> {
  const ids = Int32Array.from(expectedLogits(family).ids.flat());
  return embed(model, { ids: ids.slice(24 * first, 24 * (first + count)), count, length: 24 });
}

function disturb(states: ResidentStates): ResidentStates {
  for (const { hidden } of states.batches)
    hidden.data.set(hidden.data.map((value, i) => value * (1 + 0.2 * Math.sin(i))));
  return states;
}

describe.each(["llama", "llama-bias", "qwen2", "gemma3"])("%s", (family) => {
  test.each(["attention", "mlp"] as const)("the drift at the %s projection leads a disturbed stream back", (name) =>
    withLayer(family, async (model, runner, layer) => {
      const wanted = { tokenScale: normsOutputs(model.spec), holdsOut: false };
      const run = async (states: ResidentStates, used = layer) => {
        await runner.sublayer(name, used, states);
        return states;
      };
      const target = await run(await statesOf(model, family));
      const statisticsOf = async (states: ResidentStates): Promise<ProjectionStatistics> =>
        (await runner.projectionStatistics(name, layer, states, { ...wanted, target })).statistics;
      const { gram, drift } = await statisticsOf(disturb(await statesOf(model, family)));
      const projection = projectionOf(name, layer);
      const { inputSize, outputSize } = projection;
      const kept = Int32Array.from({ length: inputSize }, (_, j) => j);
      const context = { gemm: referenceGemm, ridge: 1e-3 };
      const data = await refitColumns(projection, { gram: async () => gram, drift: async () => drift! }, kept, context);
      const refitted = { data, shape: [outputSize, inputSize] };
      const changed = { ...layer.weights, [name === "attention" ? "oProj" : "downProj"]: refitted };
      expect(largest(drift!)).toBeGreaterThan(1e-3 * largest(gram));
      const undisturbed = await statisticsOf(await statesOf(model, family));
      expect(largest(undisturbed.drift!)).toBeLessThan(1e-5 * largest(gram));
      const before = await run(disturb(await statesOf(model, family)));
      const after = await run(disturb(await statesOf(model, family)), { ...layer, weights: changed });
      expect(distance(after, target)).toBeLessThan(0.8 * distance(before, target));
    }),
  );
});

test("Gram matrix and mean are those of what enters the projection, and nothing else comes unasked", () =>
  withLayer("llama", async (model, runner, layer) => {
    const wanted = { tokenScale: false, holdsOut: false, keepsInputsIn: new ReusedTensors() };
    const states = await statesOf(model, "llama");
    const before = states.all.slice();
    const { statistics, inputs } = await runner.projectionStatistics("mlp", layer, states, wanted);
    expect(states.all).toEqual(before);
    const [{ data, shape }] = [inputs![0]!];
    const [size, tokens] = shape as [number, number];
    expect([tokens, size, statistics.tokenCount]).toEqual([48, layer.sizes.channel!.intermediateSize, 48]);
    const sum = (term: (token: number) => number) =>
      Array.from({ length: tokens }, (_, token) => term(token)).reduce((a, b) => a + b);
    const z = (input: number, token: number) => data[input * tokens + token]!;
    for (const j of [0, 7, size - 1]) {
      expect(statistics.mean[j]).toBeCloseTo(sum((token) => z(j, token)) / tokens, 5);
      expect(statistics.gram[3 * size + j]).toBeCloseTo(
        sum((token) => z(3, token) * z(j, token)),
        4,
      );
    }
    expect([statistics.drift, statistics.heldOut]).toEqual([undefined, undefined]);
  }));

test.each(["attention", "mlp"] as const)("what enters the %s is squared and summed behind its norm", (name) =>
  withLayer("llama", async (model, runner, layer) => {
    const states = await statesOf(model, "llama");
    const wanted = { tokenScale: false, holdsOut: false };
    const { entries } = await runner.projectionStatistics(name, layer, states, { ...wanted, weighsEntries: true });
    const { hiddenSize, normEpsilon } = model.spec;
    const gain = layer.weights[name === "attention" ? "attentionNorm" : "mlpNorm"]!.data;
    const expected = new Float64Array(hiddenSize);
    for (let at = 0; at < states.all.length; at += hiddenSize) {
      const x = states.all.subarray(at, at + hiddenSize);
      const square = x.reduce((sum, value) => sum + value ** 2, 0) / hiddenSize;
      x.forEach((value, j) => {
        expected[j]! += (value * gain[j]!) ** 2 / (square + normEpsilon);
      });
    }
    for (const [j, value] of expected.entries()) expect(entries![j]! / value).toBeCloseTo(1, 4);
    expect((await runner.projectionStatistics(name, layer, states, wanted)).entries).toBeUndefined();
  }),
);

test.each(["llama-bias", "gemma3"])("%s: what is held out is a part of the whole", (family) =>
  withLayer(family, async (model, runner, layer) => {
    const find = async (first: number, count: number, holdsOut: boolean): Promise<ProjectionStatistics> => {
      const target = await statesOf(model, family, first, count);
      await runner.sublayer("mlp", layer, target);
      const wanted = { tokenScale: normsOutputs(model.spec), target, holdsOut };
      const states = disturb(await statesOf(model, family, first, count));
      return (await runner.projectionStatistics("mlp", layer, states, wanted)).statistics;
    };
    const [whole, apart] = [await find(0, 2, false), await find(0, 2, true)];
    expect(whole.heldOut).toBeUndefined();
    expect(largest(difference(whole.mean, apart.mean))).toBeLessThan(1e-4 * largest(whole.mean));
    for (const name of ["gram", "drift"] as const) {
      const scale = largest(whole[name]!);
      expect(largest(difference(whole[name]!, apart[name]!))).toBeLessThan(1e-4 * scale);
      expect(largest(apart.heldOut![name])).toBeGreaterThan(0.05 * scale);
    }
    const last = difference(whole.gram, (await find(0, 1, false)).gram);
    expect(largest(difference(last, apart.heldOut!.gram))).toBeLessThan(1e-4 * largest(whole.gram));
    expect((await find(0, 1, true)).heldOut!.gram.every((value) => value === 0)).toBe(true);
  }),
);
