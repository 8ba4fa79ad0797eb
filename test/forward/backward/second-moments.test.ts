import { expect, test } from "vitest";
import { givenLabels } from "../../../src/forward/backward/labels.ts";
import { type LayerMoments, secondMoments } from "../../../src/forward/backward/second-moments.ts";
import { LayerRunner } from "../../../src/forward/run/layer-runner.ts";
import { type Model, openModel } from "../../../src/model/model.ts";
import { resized } from "../../../src/model/spec/parts.ts";
import { nodeBackend } from "../../../src/node/host.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { scratchFolder } from "../../../src/node/scratch-folder.ts";
import { expectedLogits, tinyPath } from "../../helpers/fixtures.ts";

/** What the sweep finds of each layer of a tiny model on its two windows. */
async function sweep(
  family: string,
  { change = (model: Model): Model => model, activations = false, attention = false } = {},
): Promise<LayerMoments[]> {
  const ids = Int32Array.from(expectedLogits(family).ids.flat());
  const checkpoint = await openPath(tinyPath(family));
  const model = change(await openModel(checkpoint));
  const runner = new LayerRunner(nodeBackend(1), model.spec);
  const scratch = scratchFolder();
  const labels = givenLabels(ids.map((id) => (id + 1) % 96));
  const request = { runner, model, windows: { ids, count: 2, length: 24 }, scratch, labels };
  const found: LayerMoments[] = [];
  await secondMoments(request, { attention, activations }, async (moments) => {
    found[moments.index] = moments;
  });
  await Promise.all([scratch.clear(), runner.release(), checkpoint.close()]);
  return found;
}

async function fisherFactors(family: string, change: (model: Model) => Model): Promise<(Float32Array | undefined)[]> {
  return (await sweep(family, { change })).map(({ mlp }) => mlp?.fisherFactor);
}

test("moments of activations, and of attentions, are summed only where they are wanted, and change nothing else", async () => {
  const [without, all] = [await sweep("llama"), await sweep("llama", { activations: true, attention: true })];
  for (const [index, { mlp, attention }] of all.entries()) {
    expect(without[index]!.attention).toBeUndefined();
    expect(without[index]!.mlp!.activations).toBeUndefined();
    expect(without[index]!.mlp!.fisherFactor).toEqual(mlp!.fisherFactor);
    const { gram, mean, tokenCount } = mlp!.activations!;
    expect([gram.length, mean.length, tokenCount]).toEqual([80 * 80, 80, 48]);
    expect(attention!.activations!.gram).toHaveLength(32 * 32);
  }
});

test("a part that is absent has the gradients of one that writes zeros", async () => {
  const absent = new Map([
    [0, { intermediateSize: 0, numAttentionHeads: 0, numKeyValueHeads: 0 }],
    [1, { numAttentionHeads: 0, numKeyValueHeads: 0 }],
    [2, { intermediateSize: 0 }],
  ]);
  const without = await fisherFactors("llama", (model) => {
    const layers = model.spec.layers.map((layer, index) => resized(layer, absent.get(index)!));
    return { ...model, spec: { ...model.spec, layers } };
  });
  const SILENT = /layers\.(0|1)\.self_attn\.o_proj|layers\.(0|2)\.mlp\.down_proj/;
  const silenced = await fisherFactors("llama", (model) => ({
    ...model,
    read: async (name) => (await model.read(name)).map((weight) => (SILENT.test(name) ? 0 : weight)),
  }));
  expect([without[0], without[2]]).toEqual([undefined, undefined]);
  without[1]!.forEach((value, i) => {
    expect(value).toBeCloseTo(silenced[1]![i]!, 6);
  });
});
