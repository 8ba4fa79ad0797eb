// What parts cost, against models that lack them from the first layer to the last.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { headSteps } from "../../src/allocation/curves.ts";
import type { LayerMoments } from "../../src/forward/backward/second-moments.ts";
import { projectionOf } from "../../src/forward/graphs/decoder-layer.ts";
import { loss } from "../../src/importance/obs.ts";
import { complement } from "../../src/linalg/gather.ts";
import { inMemory } from "../../src/linalg/projection.ts";
import type { Model } from "../../src/model/model.ts";
import type { LayerWeights } from "../../src/model/read-layer.ts";
import type { LayerIndex } from "../../src/model/spec/layer-index.ts";
import { type LayerSizes, resized, sizesOf } from "../../src/model/spec/parts.ts";
import { layerTensors } from "../../src/model/spec/tensor-names.ts";
import { takeNeurons } from "../../src/prune/neurons.ts";
import { leastSquares } from "../../src/recover/least-squares.ts";
import { measureCosts } from "../../src/sensitivity/cost-curves.ts";
import { sweepMoments } from "../../src/sensitivity/fisher-factors.ts";
import { divergences, logProbabilities, mean } from "../helpers/divergence.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, someWindows, testRun } from "../helpers/run.ts";

const run = testRun();
const tiny = await openTiny("llama");
const { model, runner } = tiny;
afterAll(() => Promise.all([run.scratch.clear(), tiny.close()]));

/** More tokens than neurons, so that no refit can follow them all. */
const windows = someWindows(12, 24);
const method = methodOf({ widths: "per-layer", prune: "all" }, model.spec);
const request = { model, windows, method };

/** KL divergence of the model with one layer of other sizes and weights. */
async function divergenceWith(index: number, sizes: Partial<LayerSizes>, weights: LayerWeights = {}): Promise<number> {
  const layers = model.spec.layers.with(index, resized(model.spec.layers[index]!, sizes));
  const spec = { ...model.spec, layers };
  const others = new Map(layerTensors(spec, index).map(({ name, role }) => [name, weights[role]?.data] as const));
  const changed: Model = { ...model, spec, read: async (name) => others.get(name) ?? model.read(name) };
  return mean(
    divergences(await logProbabilities(runner, model, windows), await logProbabilities(runner, changed, windows)),
  );
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

describe("the costs of a layer", () => {
  let costs: Awaited<ReturnType<typeof measureCosts>>["costs"];
  beforeAll(async () => {
    ({ costs } = await measureCosts(run, request, "all"));
  });

  test("of its attention and of its MLP add up to the divergence of the model without them", async () => {
    for (const [index, { neurons, restOfMlp, heads }] of costs.entries()) {
      const withoutAttention = await divergenceWith(index, { numAttentionHeads: 0, numKeyValueHeads: 0 });
      expect(heads).toHaveLength(headSteps(sizesOf(model.spec.layers[index]!)).length);
      expect(sum(heads)).toBeCloseTo(Math.max(withoutAttention, heads[0]!), 5);
      const withoutMlp = await divergenceWith(index, { intermediateSize: 0 });
      expect(neurons).toHaveLength(60);
      expect(sum(neurons) + restOfMlp!).toBeCloseTo(Math.max(withoutMlp, sum(neurons)), 5);
    }
  });

  test("of its first neurons are the divergence of the model without them, refitted", async () => {
    const moments: LayerMoments[] = [];
    await sweepMoments(run, request, 16384, async (found) => {
      moments[found.index] = found;
    });
    for (const [index, { layer, mlp }] of moments.entries()) {
      const projection = projectionOf("mlp", layer);
      const statistics = { ...mlp!.activations!, fisherFactor: mlp!.fisherFactor };
      const { order } = await loss.rank(projection, statistics, 60, { gemm: run.gemm, random: Math.random });
      const costOf = async (removed: number): Promise<number> => {
        const kept = complement(order.slice(0, removed).toSorted(), 80);
        const context = { gemm: run.gemm, ridge: method.ridge };
        const recovered = await leastSquares.recover(projection, inMemory(statistics), kept, context);
        return divergenceWith(index, { intermediateSize: kept.length }, takeNeurons(layer.weights, kept, recovered));
      };
      const few = await costOf(24);
      const { neurons } = costs[index]!;
      for (const [removed, divergence] of [
        [24, few],
        [48, Math.max(few, await costOf(48))],
      ] as const)
        expect(Math.abs(sum(neurons.subarray(0, removed)) / divergence - 1)).toBeLessThan(3e-3);
    }
  });

  test("are those of the neurons alone where nothing else may go", async () => {
    const only = await measureCosts(
      run,
      { ...request, method: methodOf({ widths: "per-layer" }, model.spec) },
      "neurons",
    );
    for (const [index, { neurons, restOfMlp, heads }] of only.costs.entries()) {
      expect(neurons).toEqual(costs[index]!.neurons);
      expect([restOfMlp, heads.length]).toEqual([undefined, 0]);
    }
  });

  test("are nothing where a part is absent", async () => {
    const layers = model.spec.layers.with(1, resized(model.spec.layers[1]!, { intermediateSize: 0 }));
    const lacking = { ...model, spec: { ...model.spec, layers } };
    const found = await measureCosts(run, { ...request, model: lacking }, "all");
    expect(found.costs.map(({ neurons }) => neurons.length)).toEqual([60, 0, 60]);
    expect(found.costs[1]).toMatchObject({ restOfMlp: undefined });
    expect(found.costs[1]!.heads).toHaveLength(2);
    expect(found.factors.get(1 as LayerIndex)).not.toHaveProperty("mlp");
  });
});
