// Limits of quality and the curve, on the demo model.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CurveEvent } from "../../src/events/curve.ts";
import { type CurveRequest, curve } from "../../src/node/trace-curve.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { compError } from "../helpers/errors.ts";
import { eventsOf, pruneDemo, SMALL } from "../helpers/prune-demo.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const newOutput = (): string => join(temporaryFolder(), "out");

/** A method that looks at the model once and quickly. */
const QUICK = { preset: "wanda-sp", prune: "mlp", multipleOf: 1 } as const;

async function curveOf(request: CurveRequest): Promise<CurveEvent[]> {
  const events: CurveEvent[] = [];
  for await (const event of curve(request)) events.push(event);
  return events;
}

describe("a limit of quality", () => {
  test("is kept by the largest cut that was tried and found within it", async () => {
    const events = await eventsOf({ output: newOutput(), ...QUICK, maxPerplexityIncrease: 0.1 });
    const trials = events.flatMap((event) => (event.type === "trial" ? [event.trial] : []));
    const last = events.at(-1)!;
    if (last.type !== "done") throw new Error(last.type);
    const { quality, parameters, trials: recorded } = last.result;
    expect(recorded).toEqual(trials);
    expect(quality.perplexity.after / quality.perplexity.before).toBeLessThanOrEqual(1.1);
    const within = trials.filter(({ isWithin }) => isWithin);
    const beyond = trials.filter(({ isWithin }) => !isWithin);
    expect(parameters.after).toBe(Math.min(...within.map((trial) => trial.parameters)));
    expect(quality).toEqual(within.find((trial) => trial.parameters === parameters.after)!.quality);
    const gap =
      Math.min(...beyond.map(({ sparsity }) => sparsity)) - Math.max(...within.map(({ sparsity }) => sparsity));
    expect(gap).toBeLessThanOrEqual(0.0101);
  });

  test("of both kinds is kept as the narrower one says, and no layer is told twice", async () => {
    const events = await eventsOf({ output: newOutput(), ...QUICK, maxKl: 0.05, maxPerplexityIncrease: 1 });
    const last = events.at(-1)!;
    if (last.type !== "done") throw new Error(last.type);
    expect(last.result.quality.klDivergence).toBeLessThanOrEqual(0.05);
    expect(events.filter(({ type }) => type === "layer")).toHaveLength(8);
  });

  test("that allows everything leaves the sparsity asked for", async () => {
    const { sparsity, trials } = await pruneDemo({ output: newOutput(), ...QUICK, sparsity: 0.1, maxKl: 50 });
    expect(trials).toHaveLength(1);
    expect(sparsity.all).toBeCloseTo(0.1, 2);
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
    const events = await curveOf({ ...SMALL, ...QUICK, model: DEMO_MODEL, sparsity: [0.2, 0.9, 0.1] });
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
    const events = await curveOf({ ...SMALL, model: DEMO_MODEL, sparsity: [0.1, 0.3] });
    const starts = events.filter((event) => event.type === "stage" && event.name === "gradient" && event.done === 0);
    expect(starts).toHaveLength(1);
    const last = events.at(-1)!;
    if (last.type !== "done") throw new Error(last.type);
    const [small, large] = last.curve.points.map((point) => ("quality" in point ? point.quality.klDivergence : NaN));
    expect(small).toBeLessThan(large!);
  });

  test("of a preset that compares layers, as GGUF", async () => {
    const events = await curveOf({ ...SMALL, preset: "flap", as: "gguf", model: DEMO_MODEL, sparsity: [0.1] });
    const [point] = events.flatMap((event) => (event.type === "point" ? [event.point] : []));
    expect(point).toMatchObject({ reached: { all: expect.closeTo(0.1, 1) } });
  });
});
