import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Decision } from "../../src/allocation/decide.ts";
import { evaluateModel } from "../../src/evaluate/compare-models.ts";
import { Judge } from "../../src/evaluate/judge.ts";
import { judgedWhole } from "../../src/evaluate/judged-windows.ts";
import { embed } from "../../src/forward/run/embed.ts";
import type { ResidentStates } from "../../src/forward/run/hidden-states.ts";
import { allInMemory, type ProjectionStatistics } from "../../src/linalg/projection.ts";
import { readLayer } from "../../src/model/read-layer.ts";
import { type LayerIndex, layerIndices } from "../../src/model/spec/layer-index.ts";
import { type LayerSizes, resized } from "../../src/model/spec/parts.ts";
import type { SweepStates } from "../../src/prune/prune-layer.ts";
import {
  type PrunedLayers,
  pruneLayers,
  type Sweep,
  type SweepCourse,
  type SweepStand,
  tryDecision,
} from "../../src/prune/sweep.ts";
import { none } from "../../src/recover/none.ts";
import type { Recovery } from "../../src/recover/recovery.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, testRun, tinyWindows } from "../helpers/run.ts";
import { qualityOf, sweepOf, WrittenLayers } from "../helpers/sweep.ts";

const run = testRun();
const tiny = await openTiny("llama");
const { model, runner } = tiny;
afterAll(() => Promise.all([run.scratch.clear(), tiny.close()]));

const INDICES = layerIndices(model.spec);

/** The first and the last of the three layers stay, in other sizes. */
const cutOf = (sizes: readonly Partial<LayerSizes>[], kept: readonly number[] = [0, 2]): Decision => ({
  keptLayers: kept as LayerIndex[],
  spec: { ...model.spec, layers: kept.map((index, i) => resized(model.spec.layers[index]!, sizes[i] ?? {})) },
});

const CUT = cutOf([{ intermediateSize: 64 }, { intermediateSize: 48, numAttentionHeads: 2 }]);

const methodWith = (options: object) => methodOf({ preset: "wanda-sp", ...options }, model.spec);

describe("a sweep", () => {
  const written = new WrittenLayers();
  const sweep = sweepOf(tiny, methodWith({ recovery: "least-squares" }));
  const told = testRun();
  let pruned: PrunedLayers;
  beforeAll(async () => {
    pruned = await pruneLayers(told, sweep, CUT, written.write);
  });

  test("writes each layer that stays at its position, and tells which of the source it was", async () => {
    const { results, costs } = pruned;
    expect(results.map(({ index }) => index)).toEqual([0, 2]);
    expect(results).toMatchObject([
      { keptNeurons: 64, totalNeurons: 80, keptHeads: 4 },
      { keptNeurons: 48, keptHeads: 2, totalHeads: 4 },
    ]);
    expect(costs.map(({ length }) => length)).toEqual([16, 32]);
    expect(written.layers).toHaveLength(2);
    for (const [position, { index, kept, heads, keyValueHeads }] of results.entries()) {
      const { weights } = await readLayer(model, index as LayerIndex);
      const own = written.layers[position]!;
      expect(own.upProj!.data).toEqual(
        Float32Array.from(kept.flatMap((j) => [...weights.upProj!.data.subarray(32 * j, 32 * (j + 1))])),
      );
      expect(own.qProj!.data).toEqual(
        Float32Array.from(heads.flatMap((h) => [...weights.qProj!.data.subarray(256 * h, 256 * (h + 1))])),
      );
      expect(keyValueHeads).toEqual([0, 1]);
      expect(own.attentionNorm).toEqual(weights.attentionNorm);
    }
  });

  test("finds the quality that the written model has", async () => {
    const quality = await qualityOf(run, sweep, pruned);
    const own = await evaluateModel(run.backend, written.model(model, CUT.spec), judgedWhole(sweep.judge.windows), {
      dense: model,
    });
    const { densePerplexity, klDivergence, topOneAgreement } = own.comparison!;
    expect(quality).toEqual({
      on: "held-out calibration windows",
      tokens: own.tokens,
      perplexity: { before: expect.closeTo(densePerplexity, 3), after: expect.closeTo(own.perplexity, 3) },
      klDivergence: expect.closeTo(klDivergence, 6),
      topOneAgreement,
    });
    expect(klDivergence).toBeGreaterThan(1e-3);
    const perplexity = await sweep.judge.perplexityOf(runner, model, pruned.heldOut);
    expect(perplexity).toBeCloseTo(own.perplexity, 3);
  });

  test("tells where it is and what has become of each layer, but not which neurons and heads", () => {
    const stage = (done: number) => ({ type: "stage", name: "prune", done, total: 3 });
    expect(told.events.filter(({ type }) => type === "stage")).toEqual([stage(0), stage(1), stage(2)]);
    const layers = told.events.filter(({ type }) => type === "layer");
    expect(layers).toMatchObject([
      { index: 0, keptNeurons: 64 },
      { index: 2, keptNeurons: 48, keptHeads: 2 },
    ]);
    for (const layer of layers)
      for (const key of ["kept", "heads", "keyValueHeads"]) expect(layer).not.toHaveProperty(key);
  });

  test("stops at the signal", async () => {
    await expect(pruneLayers(testRun({ signal: AbortSignal.abort() }), sweep, CUT)).rejects.toThrow(/abort/i);
  });
});

test("the dense model's states on the judge's windows are computed once for all sweeps that it judges", async () => {
  let embeddings = 0;
  const counting: Sweep["model"] = {
    ...model,
    readRows: (name, start, end) => {
      if (name.includes("embed_tokens")) embeddings++;
      return model.readRows(name, start, end);
    },
  };
  const judge = new Judge(tinyWindows("llama"));
  const sweep = { ...sweepOf(tiny, methodWith({})), model: counting, judge };
  const counted = async () => {
    embeddings = 0;
    const quality = await tryDecision(run, sweep, CUT);
    return { quality, embeddings };
  };
  const [first, second] = [await counted(), await counted()];
  expect(second.quality).toEqual(first.quality);
  expect(first.embeddings - second.embeddings).toBe(1);
});

test("neurons that have been ranked go by the ranking of their own layer of the source", async () => {
  const orders = [0, 1, 2].map((index) => Int32Array.from({ length: 80 }, (_, i) => (i + 10 * index) % 80));
  const { results, costs } = await pruneLayers(run, sweepOf(tiny, methodWith({})), { ...CUT, orders });
  expect(results[0]!.kept).toEqual(Array.from({ length: 64 }, (_, i) => i + 16));
  expect(results[1]!.kept).toEqual([...Array(20).keys(), ...Array.from({ length: 28 }, (_, i) => i + 52)]);
  expect(costs.map(({ length }) => length)).toEqual([0, 0]);
});

test("biases that the pruned model has and the source has not are zeros", async () => {
  const written = new WrittenLayers();
  const bias = { ...model.spec.bias, mlp: true, down: true };
  await pruneLayers(run, sweepOf(tiny, methodWith({})), { ...CUT, spec: { ...CUT.spec, bias } }, written.write);
  expect(written.layers.map(({ gateBias, downBias }) => [gateBias!.data, downBias!.data])).toEqual([
    [new Float32Array(64), new Float32Array(32)],
    [new Float32Array(48), new Float32Array(32)],
  ]);
});

test("a sweep goes on behind any layer of another, to the same bits", async () => {
  const method = methodWith({ recovery: "dense-target" });
  const whole = new WrittenLayers();
  const stands: { stand: SweepStand; values: Float32Array[] }[] = [];
  const keep: SweepCourse["keep"] = async (stand, states) => {
    stands.push({ stand, values: statesOf(states).map(({ all }) => all.slice()) });
  };
  const expected = await pruneLayers(run, sweepOf(tiny, method), CUT, whole.write, { keep });
  expect(stands.map(({ stand }) => stand.next)).toEqual([1, 3]);
  for (const { stand, values } of stands) {
    const written = new WrittenLayers();
    const restore = async (states: SweepStates): Promise<void> =>
      statesOf(states).forEach(({ all }, i) => {
        all.set(values[i]!);
      });
    const from = { ...stand, restore };
    expect(await pruneLayers(run, sweepOf(tiny, method), CUT, written.write, { from })).toEqual(expected);
    const position = stand.results.length;
    expect(written.layers.slice(position)).toEqual(whole.layers.slice(position));
    expect(written.layers.filter(Boolean)).toHaveLength(2 - position);
  }
});

/** Those that travel along, all of them in memory. */
const statesOf = ({ calibrated, dense, heldOut }: SweepStates): ResidentStates[] => {
  expect(dense).toBeDefined();
  return [calibrated, dense!, heldOut] as ResidentStates[];
};

describe("a recovery that aims at the dense model", () => {
  /** Leaves the weights as they are and keeps the statistics that it sees. */
  function spying() {
    const seen: ProjectionStatistics[] = [];
    const recovery: Recovery = {
      towardsDense: true,
      recover: async (projection, statistics, ...rest) => {
        seen.push(await allInMemory(statistics));
        return none.recover(projection, statistics, ...rest);
      },
    };
    return { seen, method: { ...methodWith({}), recovery, choosesRidge: false } };
  }

  test("sees at each layer what the dense model has there, removed layers included", async () => {
    const { seen, method } = spying();
    const sweep = sweepOf(tiny, method);
    await pruneLayers(run, sweep, cutOf([{}, {}])); // two layers as they were: the second stands where the third would
    expect(seen).toHaveLength(4);
    const [first, removed, last] = await Promise.all(INDICES.map((index) => readLayer(model, index)));
    const [states, target] = [await embed(model, sweep.windows), await embed(model, sweep.windows)];
    await runner.layer(first!, states);
    for (const layer of [first!, removed!]) await runner.layer(layer, target);
    await runner.sublayer("attention", last!, target);
    const wanted = { tokenScale: false, holdsOut: false, target };
    const { statistics } = await runner.projectionStatistics("attention", last!, states, wanted);
    const scale = Math.max(...statistics.drift!.map(Math.abs));
    expect(scale).toBeGreaterThan(0.1);
    statistics.drift!.forEach((value, i) => {
      expect(Math.abs(value - seen[2]!.drift![i]!)).toBeLessThan(1e-4 * scale);
    });
    const before = Math.max(...seen[0]!.drift!.map(Math.abs));
    expect(before).toBeLessThan(1e-4 * scale); // nothing is lost ahead of the first layer
  });

  test("finds what backward sweeps found of the layer of the source", async () => {
    const { seen, method } = spying();
    const factors = [0, 1, 2].map((index) => Float32Array.of(index));
    const sensitivities = new Map<LayerIndex, { mlp: { fisherFactor: Awaited<ReturnType<typeof run.scratch.put>> } }>();
    for (const index of INDICES)
      sensitivities.set(index, { mlp: { fisherFactor: await run.scratch.put(factors[index]!) } });
    await pruneLayers(run, sweepOf(tiny, method, { sensitivities }), CUT);
    expect(seen.map(({ fisherFactor }) => fisherFactor)).toEqual([undefined, factors[0], undefined, factors[2]]);
  });

  test("is not asked where nothing is cut, and every weight stays", async () => {
    const { seen, method } = spying();
    const written = new WrittenLayers();
    const sweep = sweepOf(tiny, method);
    const pruned = await pruneLayers(run, sweep, cutOf([{}, {}, {}], [0, 1, 2]), written.write);
    expect(seen).toEqual([]);
    expect((await qualityOf(run, sweep, pruned)).klDivergence).toBeCloseTo(0, 6);
    for (const index of INDICES) expect(written.layers[index]).toEqual((await readLayer(model, index)).weights);
  });
});
