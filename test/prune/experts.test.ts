// Mixtures of experts cut to a width, each expert by what its own tokens say.
import { expect, test } from "vitest";
import { ReusedTensors } from "../../src/compute/reused-tensor.ts";
import { embed } from "../../src/forward/run/embed.ts";
import type { HiddenStates, ResidentStates } from "../../src/forward/run/hidden-states.ts";
import { expertOutputs, routeBatch, tokensOf } from "../../src/forward/run/mixture.ts";
import { gatherColumns } from "../../src/linalg/gather.ts";
import type { Method } from "../../src/method/method.ts";
import { type DecoderLayer, type Experts, readLayer } from "../../src/model/read-layer.ts";
import type { LayerIndex } from "../../src/model/spec/layer-index.ts";
import { mixtureOf, sizesOf } from "../../src/model/spec/parts.ts";
import { pruneMixture } from "../../src/prune/experts.ts";
import type { SublayerRequest } from "../../src/prune/sublayer.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, someWindows, type TinyModel, testRun } from "../helpers/run.ts";

const windows = someWindows(5, 24);

/** The last layer of a tiny mixture, before its experts, and what a cut to a width asks for. */
async function placeOf({ model, runner }: TinyModel, method: Method, width: number) {
  const index = (model.spec.layers.length - 1) as LayerIndex;
  const layer = await readLayer(model, index);
  const states = await embed(model, windows);
  await runner.sublayer("attention", layer, states);
  const request: SublayerRequest = {
    runner,
    method,
    index,
    sizes: { ...sizesOf(layer.sizes), intermediateSize: width },
    states,
    tokenCount: windows.ids.length,
    target: undefined,
    sensitivity: {},
    order: undefined,
    inputMemory: new ReusedTensors(),
  };
  return { layer, states, request };
}

/** The same experts, but that every other neuron writes nothing. */
const halfSilent = (experts: Experts): Experts => ({
  ...experts,
  read: async (expert) => {
    const weights = await experts.read(expert);
    const { data, shape } = weights.downProj!;
    return { ...weights, downProj: { data: data.map((value, i) => (i % 2 === 0 ? value : 0)), shape } };
  },
});

async function behind({ runner }: TinyModel, layer: DecoderLayer, states: ResidentStates): Promise<Float32Array> {
  const copy = states.copy();
  await runner.sublayer("mlp", layer, copy);
  return copy.all;
}

test.each(["mixtral", "gpt-oss", "glm4-moe", "qwen3.5-moe"])(
  "neurons of a %s that write nothing go first",
  async (name) => {
    const run = testRun();
    const tiny = await openTiny(name);
    const method = methodOf({ preset: "osscar" }, tiny.model.spec);
    const width = mixtureOf(tiny.model.spec.layers.at(-1)!)!.intermediateSize / 2;
    const place = await placeOf(tiny, method, width);
    const { sharedDown, ...others } = place.layer.weights;
    const half = sharedDown && { ...sharedDown, data: sharedDown.data.map((value, i) => (i % 2 === 0 ? value : 0)) };
    const experts = halfSilent(place.layer.experts!);
    const layer = { ...place.layer, experts, weights: { ...others, ...(half && { sharedDown: half }) } };
    const pruned = await pruneMixture(run, layer, place.request);
    expect(mixtureOf(pruned.layer.sizes)!.intermediateSize).toBe(width);
    expect(pruned.error.before).toBeCloseTo(0, 3);
    const [expected, found] = [await behind(tiny, layer, place.states), await behind(tiny, pruned.layer, place.states)];
    expect(Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(1e-3);
    await pruned.layer.experts?.release?.();
    await run.scratch.clear();
    await tiny.close();
  },
);

/** ‖Σ w (f − f̂)‖² of each expert over its own tokens, summed over the experts. */
async function loss({ runner }: TinyModel, a: Experts, b: Experts, layer: DecoderLayer, states: HiddenStates) {
  let sum = 0;
  const each = (experts: Experts): DecoderLayer => ({ ...layer, experts });
  const outputs = async (experts: Experts, only: number): Promise<Float32Array> =>
    states.read(0, async ({ hidden }) => {
      const routed = await routeBatch(runner, each(experts), hidden);
      const tokens = tokensOf(only, routed);
      const rows = await expertOutputs(runner, await experts.read(only), routed.normed, tokens);
      const width = rows.length / Math.max(1, tokens.length);
      return rows.map((value, i) => value * routed.weights[tokens[Math.floor(i / width)]! * experts.count + only]!);
    });
  for (let expert = 0; expert < a.count; expert++) {
    const [own, other] = [await outputs(a, expert), await outputs(b, expert)];
    sum += own.reduce((total, value, i) => total + (value - other[i]!) ** 2, 0);
  }
  return sum;
}

test("a refit leaves less of an error than the cut alone, token by token weighed as the router does", async () => {
  const run = testRun();
  const tiny = await openTiny("mixtral");
  const method = methodOf({ preset: "osscar" }, tiny.model.spec);
  const { layer, states, request } = await placeOf(tiny, method, 8);
  const pruned = await pruneMixture(run, layer, request);
  const refitted = pruned.layer.experts!;
  const kept = (expert: number): Int32Array =>
    pruned.choice.inputs.filter((input) => Math.floor(input / 12) === expert).map((input) => input % 12);
  const cutOnly: Experts = {
    ...refitted,
    read: async (expert) => {
      const { data, shape } = (await layer.experts!.read(expert)).downProj!;
      const weight = gatherColumns(data, 12, kept(expert));
      return { ...(await refitted.read(expert)), downProj: { data: weight, shape: [shape[0]!, 8] } };
    },
  };
  const before = await loss(tiny, layer.experts!, cutOnly, layer, states);
  const after = await loss(tiny, layer.experts!, refitted, layer, states);
  expect(after).toBeLessThan(before);
  expect((pruned.error.after / pruned.error.before) ** 2).toBeCloseTo(after / before, 3);
  await run.scratch.clear();
  await tiny.close();
});
