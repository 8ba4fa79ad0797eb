// Limits of quality and the curve, through the library; test/search/ has what a limit means in detail.
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { CurveEvent } from "../../src/events/prune.ts";
import { type CurveRequest, curve } from "../../src/node/measure.ts";
import { compError } from "../helpers/errors.ts";
import { eventsOf, pruneDemo, SMALL } from "../helpers/prune-demo.ts";
import { shortDemo, TINY_WINDOWS, tinyWithTokenizer } from "../helpers/small-models.ts";
import { sharedFolder } from "../helpers/temporary.ts";
import { newOutput } from "../helpers/written.ts";

const shared = sharedFolder();
const [model, tiny] = [shortDemo(shared, 4), tinyWithTokenizer(shared, "llama")];

/** A method that looks at the model once and quickly. */
const QUICK = { model, preset: "wanda-sp", prune: "mlp", multipleOf: 1 } as const;

async function curveOf(request: CurveRequest): Promise<CurveEvent[]> {
  const events: CurveEvent[] = [];
  for await (const event of curve(request)) events.push(event);
  return events;
}

describe("a limit of quality", () => {
  test("is kept by the largest cut that was tried and found within it, and no layer is told twice", async () => {
    const events = await eventsOf({ output: newOutput(), ...QUICK, maxPerplexityIncrease: 0.1 });
    const trials = events.flatMap((event) => (event.type === "trial" ? [event.trial] : []));
    const last = events.at(-1)!;
    if (last.type !== "done") throw new Error(last.type);
    const { quality, parameters, trials: recorded } = last.result;
    if (quality === undefined) throw new Error("nothing was measured");
    expect(recorded).toEqual(trials);
    expect(quality.perplexity.after / quality.perplexity.before).toBeLessThanOrEqual(1.1);
    const within = trials.filter(({ isWithin }) => isWithin);
    const beyond = trials.filter(({ isWithin }) => !isWithin);
    expect(parameters.after).toBe(Math.min(...within.map((trial) => trial.parameters)));
    expect(quality).toEqual(within.find((trial) => trial.parameters === parameters.after)!.quality);
    const gap =
      Math.min(...beyond.map(({ sparsity }) => sparsity)) - Math.max(...within.map(({ sparsity }) => sparsity));
    expect(gap).toBeLessThanOrEqual(0.0101);
    expect(events.filter(({ type }) => type === "layer")).toHaveLength(4);
  });

  test("that allows nothing is an error, and nothing is written", async () => {
    const output = newOutput();
    const { kind, message } = await compError(eventsOf({ output, ...QUICK, maxKl: 0.0001 }));
    expect(kind).toBe("budget");
    expect(message).toMatch(/^no cut stays within a KL divergence of 0.0001: with 1\.0 % less it is 0\.0/);
    expect(existsSync(output)).toBe(false);
  });
});

describe("a curve", () => {
  test("has at each size what pruning to that size would have", async () => {
    const events = await curveOf({ ...SMALL, ...QUICK, sparsity: [0.2, 0.9, 0.1] });
    const last = events.at(-1)!;
    if (last.type !== "done") throw new Error(last.type);
    const { points, dense } = last.curve;
    expect(points.map((point) => point.sparsity)).toEqual([0.1, 0.2, 0.9]);
    expect(points[2]).toEqual({ sparsity: 0.9, failure: expect.stringContaining("cannot be reached") });
    expect(events.flatMap((event) => (event.type === "point" ? [event.point] : []))).toEqual(points);
    const pruned = await pruneDemo({ output: newOutput(), ...QUICK, sparsity: 0.2 });
    expect(points[1]).toMatchObject({
      quality: pruned.quality,
      reached: pruned.sparsity,
      parameters: pruned.parameters.after,
      bytes: pruned.bytes.after,
    });
    expect(dense.parameters).toBe(pruned.parameters.before);
  });

  test("with the default method looks at the loss once", async () => {
    const events = await curveOf({ ...SMALL, ...TINY_WINDOWS, model: tiny, sparsity: [0.1, 0.4] });
    const starts = events.filter((event) => event.type === "stage" && event.name === "gradient" && event.done === 0);
    expect(starts).toHaveLength(1);
    const last = events.at(-1)!;
    if (last.type !== "done") throw new Error(last.type);
    const [small, large] = last.curve.points.map((point) => ("quality" in point ? point.quality.klDivergence : NaN));
    expect(small).toBeLessThan(large!);
  });

  test("of a preset that compares layers, as GGUF", async () => {
    const request = { ...SMALL, model, preset: "flap", as: "gguf" } as const;
    const events = await curveOf({ ...request, sparsity: [0.1] });
    const [point] = events.flatMap((event) => (event.type === "point" ? [event.point] : []));
    expect(point).toMatchObject({ reached: { all: expect.closeTo(0.1, 1) } });
  });
});
