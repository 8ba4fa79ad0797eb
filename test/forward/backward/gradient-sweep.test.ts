import { describe, expect, test } from "vitest";
import { gradientSweep, type LayerGradients } from "../../../src/forward/backward/gradient-sweep.ts";
import { givenLabels } from "../../../src/forward/backward/labels.ts";
import { LayerRunner } from "../../../src/forward/run/layer-runner.ts";
import { type Model, openModel } from "../../../src/model/model.ts";
import { nodeBackend } from "../../../src/node/backend.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { scratchFolder } from "../../../src/node/scratch-folder.ts";
import { expectedLogits, tinyPath } from "../../helpers/fixtures.ts";

/** Trace of S at each layer's down_proj by torch.autograd; test/fixtures/make-gradients.py prints them. */
const TRACES: Record<string, number[]> = {
  llama: [2.44247, 0.887467, 0.520791],
  "llama-bias": [1.78351, 0.781004, 0.45471],
  "llama-gelu": [2.63169, 0.905271, 0.486815],
  mistral: [3.15435, 1.06347, 0.488429],
  qwen2: [1.49323, 0.690561, 0.423506],
  gemma3: [6.58862, 1.30333, 0.460542],
};

/** What the sweep finds of each layer of a tiny model on its two windows. */
async function sweep(
  family: string,
  { change = (model: Model): Model => model, inputs = false } = {},
): Promise<LayerGradients[]> {
  const ids = Int32Array.from(expectedLogits(family).ids.flat());
  const checkpoint = await openPath(tinyPath(family));
  const model = change(await openModel(checkpoint));
  const runner = new LayerRunner(nodeBackend(1), model.spec);
  const scratch = scratchFolder();
  const labels = givenLabels(ids.map((id) => (id + 1) % 96));
  const windows = { ids, count: 2, length: 24 };
  const found: LayerGradients[] = [];
  for await (const gradients of gradientSweep({
    runner,
    model,
    windows,
    scratch,
    labels,
    heads: false,
    inputs,
  }))
    found[gradients.index] = gradients;
  await Promise.all([scratch.clear(), runner.release(), checkpoint.close()]);
  return found;
}

async function covariances(family: string, change?: (model: Model) => Model): Promise<Float32Array[]> {
  return (await sweep(family, { ...(change && { change }) })).map(({ lossCovariance }) => lossCovariance);
}

test("moments of what enters the projections are summed only where they are wanted, and change nothing else", async () => {
  const [without, both] = [await sweep("llama"), await sweep("llama", { inputs: true })];
  for (const [index, { gram, mean, lossCovariance }] of both.entries()) {
    expect([without[index]!.gram.length, without[index]!.mean.length]).toEqual([0, 0]);
    expect([gram.length, mean.length]).toEqual([80 * 80, 80]);
    expect(without[index]!.lossCovariance).toEqual(lossCovariance);
  }
});

describe("the backward sweep agrees with torch.autograd", () => {
  test.each(Object.keys(TRACES))("%s", async (family) => {
    const found = await covariances(family);
    for (const [index, trace] of TRACES[family]!.entries()) {
      const sum = Array.from({ length: 32 }, (_, i) => found[index]![33 * i]!).reduce((a, b) => a + b);
      expect(sum / trace).toBeCloseTo(1, 4);
    }
  });
});

test("a part that is absent has the gradients of one that writes zeros", async () => {
  const absent = new Map([
    [0, { intermediateSize: 0, numAttentionHeads: 0, numKeyValueHeads: 0 }],
    [1, { numAttentionHeads: 0, numKeyValueHeads: 0 }],
    [2, { intermediateSize: 0 }],
  ]);
  const without = await covariances("llama", (model) => {
    const layers = model.spec.layers.map((layer, index) => ({ ...layer, ...absent.get(index) }));
    return { ...model, spec: { ...model.spec, layers } };
  });
  const SILENT = /layers\.(0|1)\.self_attn\.o_proj|layers\.(0|2)\.mlp\.down_proj/;
  const silenced = await covariances("llama", (model) => ({
    ...model,
    read: async (name) => (await model.read(name)).map((weight) => (SILENT.test(name) ? 0 : weight)),
  }));
  expect(without[0]).toEqual(new Float32Array(32 * 32));
  without[1]!.forEach((value, i) => {
    expect(value).toBeCloseTo(silenced[1]![i]!, 6);
  });
});
