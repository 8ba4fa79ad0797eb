// Whole experts taken out of a mixture, and what those that stay make up for.
import { describe, expect, test } from "vitest";
import { ReusedTensors } from "../../src/compute/reused-tensor.ts";
import { embed } from "../../src/forward/run/embed.ts";
import type { ResidentStates } from "../../src/forward/run/hidden-states.ts";
import type { Method } from "../../src/method/method.ts";
import { type DecoderLayer, readLayer } from "../../src/model/read-layer.ts";
import type { LayerIndex } from "../../src/model/spec/layer-index.ts";
import { mixtureOf, sizesOf } from "../../src/model/spec/parts.ts";
import type { SublayerRequest } from "../../src/prune/sublayer.ts";
import { pruneExperts } from "../../src/prune/whole-experts.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, someWindows, type TinyModel, testRun } from "../helpers/run.ts";

const windows = someWindows(40, 24, 48);

async function placeOf({ model, runner }: TinyModel, method: Method, width?: number) {
  const index = 0 as LayerIndex;
  const layer = await readLayer(model, index);
  const states = await embed(model, windows);
  await runner.sublayer("attention", layer, states);
  const sizes = sizesOf(layer.sizes);
  const run = testRun();
  const { hiddenSize } = model.spec;
  const even = Float32Array.from({ length: hiddenSize ** 2 }, (_, i) => (i % (hiddenSize + 1) === 0 ? 1 : 0));
  const request: SublayerRequest = {
    ...{ runner, method, index, states, tokenCount: windows.ids.length, target: undefined, order: undefined },
    sizes: { ...sizes, intermediateSize: width ?? sizes.intermediateSize },
    sensitivity: { fisherFactor: await run.scratch.put(even) },
    inputMemory: new ReusedTensors(),
  };
  return { run, layer, states, request };
}

async function behind({ runner }: TinyModel, layer: DecoderLayer, states: ResidentStates): Promise<Float32Array> {
  const copy = states.copy();
  await runner.sublayer("mlp", layer, copy);
  return copy.all;
}

const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);

describe("four of six experts of a qwen3-moe", () => {
  test("stay as they are where nothing refits them", async () => {
    const tiny = await openTiny("qwen3-moe");
    const { run, layer, request } = await placeOf(tiny, methodOf({ preset: "reap" }, tiny.model.spec));
    const pruned = await pruneExperts(run, layer, request, 4);
    const { experts: kept } = pruned.choice;
    expect(kept).toHaveLength(4);
    expect(mixtureOf(pruned.layer.sizes)!.numExperts).toBe(4);
    for (const [i, expert] of kept!.entries())
      expect(await pruned.layer.experts!.read(i)).toEqual(await layer.experts!.read(expert));
    expect(pruned.error.after).toBe(pruned.error.before);
    const width = mixtureOf(layer.sizes)!.intermediateSize;
    expect([...pruned.choice.inputs]).toEqual(
      [...kept!].flatMap((expert) => Array.from({ length: width }, (_, neuron) => expert * width + neuron)),
    );
    await run.scratch.clear();
    await tiny.close();
  });

  test("lose less when they are chosen by rerouting, and less still when they are refitted", async () => {
    const tiny = await openTiny("qwen3-moe");
    const { model } = tiny;
    const plain = { ...methodOf({}, model.spec), refitsExperts: false };
    const errors: number[] = [];
    for (const method of [methodOf({ preset: "frequency" }, model.spec), plain, methodOf({}, model.spec)]) {
      const { run, layer, states, request } = await placeOf(tiny, method);
      const pruned = await pruneExperts(run, layer, request, 4);
      const dense = await behind(tiny, layer, states);
      const left = distance(dense, await behind(tiny, pruned.layer, states));
      const all = distance(dense, states.all); // there is no shared expert
      expect(pruned.error.after).toBeCloseTo(Math.sqrt(left / all), 4);
      errors.push(left);
      await pruned.layer.experts?.release?.();
      await run.scratch.clear();
    }
    const [byFrequency, byRerouting, refitted] = errors;
    expect(byRerouting!).toBeLessThan(byFrequency!);
    expect(refitted!).toBeLessThan(byRerouting!);
    await tiny.close();
  });

  test("become narrower on top of it, their neurons told by the numbers of the source", async () => {
    const tiny = await openTiny("qwen3-moe");
    const { run, layer, request } = await placeOf(tiny, methodOf({}, tiny.model.spec), 4);
    const pruned = await pruneExperts(run, layer, request, 4);
    expect(mixtureOf(pruned.layer.sizes)).toMatchObject({ numExperts: 4, intermediateSize: 4 });
    const width = mixtureOf(layer.sizes)!.intermediateSize;
    const ofExpert = [...pruned.choice.inputs].map((input) => Math.floor(input / width));
    expect(ofExpert).toEqual([...pruned.choice.experts!].flatMap((expert) => new Array<number>(4).fill(expert)));
    for (let i = 0; i < 4; i++) {
      const { gateProj } = await layer.experts!.read(pruned.choice.experts![i]!);
      const neurons = [...pruned.choice.inputs.slice(4 * i, 4 * i + 4)].map((input) => input % width);
      expect((await pruned.layer.experts!.read(i)).gateProj!.source!.rows).toEqual(
        Int32Array.from(neurons, (neuron) => gateProj!.source!.rows[neuron]!),
      );
    }
    await pruned.layer.experts?.release?.();
    await run.scratch.clear();
    await tiny.close();
  });
});
