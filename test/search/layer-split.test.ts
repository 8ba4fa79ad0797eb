// The split between layers and neurons on a tiny model: each trial against the same cuts made one by one, and the rules on what the
// trials found.
import { afterAll, describe, expect, test } from "vitest";
import { type Decision, decide, type Findings } from "../../src/allocation/decide.ts";
import { planLayers } from "../../src/allocation/layer-count.ts";
import { Judge } from "../../src/evaluate/judge.ts";
import { embed } from "../../src/forward/run/embed.ts";
import { LayerRunner } from "../../src/forward/run/layer-runner.ts";
import { wanda } from "../../src/importance/wanda.ts";
import type { Model } from "../../src/model/model.ts";
import type { LayerWeights } from "../../src/model/read-layer.ts";
import { layerIndices } from "../../src/model/spec/layer-index.ts";
import { windowsBetween } from "../../src/model/spec/token-windows.ts";
import { pruneLayers, type Sweep } from "../../src/prune/sweep.ts";
import { leastSquares } from "../../src/recover/least-squares.ts";
import { decideLayers } from "../../src/search/layer-split.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, someWindows, testRun } from "../helpers/run.ts";
import { sweepOf } from "../helpers/sweep.ts";

const tiny = await openTiny("llama");
const { spec } = tiny.model;
afterAll(() => tiny.close());

const SPARSITY = 0.3;
const methodWith = (options: object) =>
  methodOf({ sparsity: SPARSITY, multipleOf: 1, widths: "equal", ...options }, spec);
const searching = methodWith({});

/** The tiny model, whose middle layer adds nothing to the residual stream: to remove it costs nothing. */
const SILENT = /layers\.1\.(self_attn\.o_proj|mlp\.down_proj)/;
const silenced: Model = {
  ...tiny.model,
  read: async (name) => (await tiny.model.read(name)).map((weight) => (SILENT.test(name) ? 0 : weight)),
};

const sweepWith = (over: Partial<Sweep> = {}): Sweep =>
  sweepOf(tiny, searching, { windows: someWindows(40, 24), ...over });

async function split(findings: Findings, over?: Partial<Sweep>) {
  const run = testRun();
  const { decision, splits } = await decideLayers(run, sweepWith(over), findings, SPARSITY);
  const told = run.events.flatMap((event) => (event.type === "split" ? [event.split] : []));
  expect(told).toEqual(splits);
  return { decision, splits, events: run.events };
}

/** Which trial wins, and how many there are, by the rules: a layer goes for 2 % less, another is tried for 5 % less. */
function byTheRules(divergences: readonly number[], costs: readonly number[], least = 0) {
  let best = 0;
  for (let i = 1; i < 3 && least + i < costs.length; i++) {
    const alone = costs.slice(0, least + i).reduce((sum, cost) => sum + cost, 0);
    if (alone >= divergences[best]!) return { best, trials: i };
    const gain = 1 - divergences[i]! / divergences[best]!;
    if (gain >= 0.02) best = i;
    if (gain < 0.05) return { best, trials: i + 1 };
  }
  return { best, trials: Math.min(3, costs.length - least) };
}

test.each([{ layers: 0 }, { layers: [1] }, { layers: 1 }, { preset: "osscar" }])(
  "there is none to look for with %j",
  async (options) => {
    const method = methodWith(options);
    const findings = { influences: [3, 1, 2] };
    const run = testRun();
    const found = await decideLayers(run, sweepWith({ method }), findings, SPARSITY);
    expect(found).toEqual({ decision: decide(spec, findings, method, SPARSITY), splits: [] });
    expect(run.events).toEqual([]);
  },
);

describe("a search", () => {
  const influences = [2e-6, 0, 1e-6];

  test("takes the layer that costs nothing, and tries one more", async () => {
    const { decision, splits, events } = await split({ influences }, { model: silenced });
    expect(splits.map(({ layers }) => layers)).toEqual([3, 2, 1]);
    const divergences = splits.map(({ klDivergence }) => klDivergence);
    expect(byTheRules(divergences, [0, 1e-6, 2e-6])).toEqual({ best: 1, trials: 3 });
    expect(decision.keptLayers).toEqual([0, 2]);
    expect(splits[1]).toMatchObject({
      sparsity: SPARSITY,
      intermediateSize: decision.spec.layers[0]!.channel!.intermediateSize,
    });
    for (const { reached } of splits) expect(reached).toBeGreaterThanOrEqual(SPARSITY);
    const stages = events.flatMap((event) => (event.type === "stage" ? [event.name] : []));
    const through = (stage: string): string[] => new Array(3).fill(stage); // the three layers
    expect(stages).toEqual(["dense-sums", "trial", "trial", "trial"].flatMap(through));
  });

  test.each([
    ["of a layer that costs something", tiny.model],
    ["of one that costs nothing", silenced],
  ])("goes by its rules, on trials %s", async (_, model) => {
    const { decision, splits } = await split({ influences: [0, 0, 0] }, { model });
    const { best, trials } = byTheRules(
      splits.map(({ klDivergence }) => klDivergence),
      [0, 0, 0],
    );
    expect(splits).toHaveLength(trials);
    expect(decision.keptLayers).toHaveLength(splits[best]!.layers);
  });

  test("ends at layers that cost more alone than the whole cut so far", async () => {
    const { decision, splits } = await split({ influences: [9, 9, 9] }, { model: silenced });
    expect(splits.map(({ layers }) => layers)).toEqual([3]);
    expect(decision.keptLayers).toEqual([0, 1, 2]);
  });

  test("begins with the fewest layers that leave the others a width worth having", async () => {
    const run = testRun();
    const { splits } = await decideLayers(run, sweepWith(), { influences: [0, 0, 0] }, 0.5);
    expect(planLayers(spec, searching, 0.5).count).toBe(1);
    expect(splits[0]!.layers).toBe(2);
    expect(splits.length).toBeLessThanOrEqual(2); // at least one layer stays
  });
});

/** The divergence on judging windows when each layer is cut as a sweep cuts it that leaves all others as they are. */
async function cutAlone({ model, method, windows, judge }: Sweep, decision: Decision): Promise<number> {
  const runner = new LayerRunner(testRun().backend, spec);
  await judge.meetDense(testRun(), runner, model);
  const states = await embed(model, judge.windows);
  for (const index of layerIndices(spec)) {
    const sizes = decision.spec.layers[index]!;
    const alone = { keptLayers: layerIndices(spec), spec: { ...spec, layers: spec.layers.with(index, sizes) } };
    const written: LayerWeights[] = [];
    await pruneLayers(testRun(), sweepWith({ method, windows, judge }), alone, async (_, weights) => {
      written.push(weights);
    });
    await runner.layer({ sizes, weights: written[index]! }, states);
  }
  const { klDivergence } = await judge.qualityOf(runner, model, states);
  await runner.release();
  return klDivergence;
}

test.each([40, 9])("of %i windows a trial is fitted to the first and judged on the last", async (count) => {
  const windows = someWindows(count, 24);
  const [fitted, judges] = count === 40 ? [8, 8] : [6, 3];
  const findings = { influences: [9, 9, 9] };
  const { splits } = await split(findings, { windows });
  const method = { ...searching, criterion: wanda, recovery: leastSquares, choosesRidge: false };
  const decision = decide(spec, findings, { ...method, layers: { kind: "none" } }, SPARSITY);
  const judge = new Judge(windowsBetween(windows, count - judges, count));
  const direct = sweepWith({ method, judge, windows: windowsBetween(windows, 0, fitted) });
  expect(splits).toMatchObject([{ layers: 3, klDivergence: expect.closeTo(await cutAlone(direct, decision), 6) }]);
});
