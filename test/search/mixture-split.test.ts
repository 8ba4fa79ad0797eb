// How a cut of a tiny mixture is shared by trials: what is tried, by which rules one is taken, and on which windows.
import { afterAll, describe, expect, test } from "vitest";
import { decide, type Findings } from "../../src/allocation/decide.ts";
import { Judge } from "../../src/evaluate/judge.ts";
import type { SplitTrial } from "../../src/events/prune.ts";
import type { Method } from "../../src/method/method.ts";
import { mixtureOf, sizesOf } from "../../src/model/spec/parts.ts";
import { windowsBetween } from "../../src/model/spec/token-windows.ts";
import { tryDecision } from "../../src/prune/sweep.ts";
import { decideSplit } from "../../src/search/mixture-split.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, someWindows, testRun } from "../helpers/run.ts";
import { sweepOf } from "../helpers/sweep.ts";

const tiny = await openTiny("qwen3-moe");
const { spec } = tiny.model;
afterAll(() => tiny.close());

const SPARSITY = 0.2;
const WINDOWS = someWindows(40, 24, spec.vocabSize);

/** Layers that cost nothing alone, so that trials decide about them; and layers that cost more than any cut. */
const CHEAP: Findings = { influences: [0, 0, 0] };
const DEAR: Findings = { influences: [9, 9, 9] };

/** All is open: the preset cuts heads, and layers are searched for, which else takes the default criterion. */
const OPEN: Method = {
  ...methodOf({ preset: "osscar", experts: "auto", multipleOf: 1 }, spec),
  layers: { kind: "search" },
};

async function search(method: Method, findings: Findings) {
  const run = testRun();
  const { decision, splits } = await decideSplit(run, sweepOf(tiny, method, { windows: WINDOWS }), findings, SPARSITY);
  expect(run.events.flatMap((event) => (event.type === "split" ? [event.split] : []))).toEqual(splits);
  const layer = decision.spec.layers[0]!;
  const { intermediateSize, numAttentionHeads: heads } = sizesOf(layer);
  return {
    splits,
    chosen: { layers: decision.keptLayers.length, heads, experts: mixtureOf(layer)!.numExperts, intermediateSize },
  };
}

describe("with all kinds open", async () => {
  const { splits, chosen } = await search(OPEN, CHEAP);
  const sizesIn = ({ layers, heads, experts, intermediateSize }: SplitTrial) =>
    JSON.stringify({ layers, heads, experts, intermediateSize });

  test("each trial removes what is asked for, none is made twice, and there are ten at most", () => {
    for (const { reached } of splits) expect(reached).toBeGreaterThanOrEqual(SPARSITY);
    expect(new Set(splits.map(sizesIn)).size).toBe(splits.length);
    expect(splits.length).toBeLessThanOrEqual(10);
  });

  test("one that none beats by more than noise is taken", () => {
    const taken = splits.find((split) => sizesIn(split) === JSON.stringify(chosen))!;
    for (const { klDivergence } of splits) expect(klDivergence).toBeGreaterThan(0.98 * taken.klDivergence);
  });

  test("the first are neurons alone, both, and experts alone; then neighbours of the best", () => {
    // an expert of each layer is 1,200 of 13,504 parameters, 0.089: less than half of 0.2, and two are less than all of it
    expect(splits.slice(0, 3)).toMatchObject([
      { layers: 3, heads: 4, experts: 6 },
      { layers: 3, heads: 4, experts: 4 },
      { layers: 3, heads: 4, experts: 3, intermediateSize: 8 },
    ]);
    expect(splits.slice(3).map(({ layers }) => layers)).toContain(2);
    expect(splits.slice(3).map(({ heads }) => heads)).toContain(2);
  });

  test.each(["layers", "heads"] as const)("a step in %s that does not help is not tried from elsewhere", (kind) => {
    const steps = splits.filter((split) => split[kind]! < splits[0]![kind]!);
    const best = Math.min(...splits.slice(0, 3).map(({ klDivergence }) => klDivergence));
    expect(steps.length === 1 || steps[0]!.klDivergence < best).toBe(true);
  });

  test("layers that cost more alone than the whole cut are not tried", async () => {
    const dear = await search(OPEN, DEAR);
    for (const { layers } of dear.splits) expect(layers).toBe(3);
  });
});

describe("a kind that is fixed does not move", () => {
  test("layers", async () => {
    const { splits } = await search({ ...OPEN, layers: { kind: "none" } }, {});
    for (const { layers } of splits) expect(layers).toBe(3);
  });

  test("heads", async () => {
    const { splits, chosen } = await search({ ...OPEN, heads: { kind: "none" } }, CHEAP);
    for (const split of splits) expect(split).not.toHaveProperty("heads");
    expect(chosen.heads).toBe(4);
  });

  test("experts, and then there is nothing to search for", async () => {
    const { splits, chosen } = await search(
      { ...OPEN, experts: { kind: "count", count: 2 }, layers: { kind: "none" } },
      {},
    );
    expect(splits).toEqual([]);
    expect(chosen).toMatchObject({ layers: 3, experts: 4 });
  });
});

test("a trial is fitted to the first quarter of the windows and judged on the last eight", async () => {
  const { splits } = await search(OPEN, DEAR);
  const method: Method = { ...OPEN, layers: { kind: "none" }, heads: { kind: "none" }, experts: { kind: "none" } };
  const windows = windowsBetween(WINDOWS, 0, 10);
  const judge = new Judge(windowsBetween(WINDOWS, 32, 40));
  const sweep = sweepOf(tiny, method, { windows, judge });
  const { klDivergence } = await tryDecision(testRun(), sweep, decide(spec, {}, method, SPARSITY));
  expect(splits[0]!.klDivergence).toBe(klDivergence);
});
