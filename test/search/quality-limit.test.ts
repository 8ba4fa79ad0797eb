import { afterAll, describe, expect, test } from "vitest";
import { decide } from "../../src/allocation/decide.ts";
import { Judge } from "../../src/evaluate/judge.ts";
import type { Quality } from "../../src/events/common.ts";
import { wanda } from "../../src/importance/wanda.ts";
import type { QualityLimits } from "../../src/method/method.ts";
import { countParameters } from "../../src/model/spec/parameters.ts";
import type { Sweep } from "../../src/prune/sweep.ts";
import { tryDecision } from "../../src/prune/sweep.ts";
import { decideWithin } from "../../src/search/quality-limit.ts";
import { compError } from "../helpers/errors.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, someWindows, testRun, tinyWindows } from "../helpers/run.ts";
import { sweepOf } from "../helpers/sweep.ts";

const tiny = await openTiny("llama");
const { spec } = tiny.model;
afterAll(() => tiny.close());

const quick = (options: object = {}) => methodOf({ preset: "wanda-sp", prune: "mlp", multipleOf: 1, ...options }, spec);

/** Of three widths at most. */
const STEPS = quick({ multipleOf: 32 });

/** Within limits, all of which are off unless given. */
async function within(limits: Partial<QualityLimits>, over: Partial<Sweep> = {}, most = 0.4, findings = {}) {
  const run = testRun();
  const all = { maxKl: undefined, maxPerplexityIncrease: undefined, ...limits, most };
  const found = await decideWithin(run, sweepOf(tiny, quick(), over), findings, all);
  const told = run.events.flatMap((event) => (event.type === "trial" ? [event.trial] : []));
  expect(told).toEqual(found.trials);
  return { ...found, parameters: countParameters(found.decision.spec).total };
}

const qualityAt = (sparsity: number): Promise<Quality> =>
  tryDecision(testRun(), sweepOf(tiny, quick()), decide(spec, {}, quick(), sparsity));

/** Finds the same whatever it judges. */
class SureJudge extends Judge {
  readonly #figures: { klDivergence: number; perplexity: Quality["perplexity"] };

  constructor(klDivergence: number, increase: number) {
    super(tinyWindows("llama"));
    this.#figures = { klDivergence, perplexity: { before: 20, after: 20 * (1 + increase) } };
  }

  override qualityOf(): Promise<Quality> {
    return Promise.resolve({ on: "held-out calibration windows", tokens: 46, topOneAgreement: 1, ...this.#figures });
  }
}

describe("a limit", () => {
  test("of the divergence is kept by the largest cut that was tried and found within it", async () => {
    const { klDivergence: maxKl } = await qualityAt(0.25);
    const { trials, parameters, splits } = await within({ maxKl });
    for (const { isWithin, quality } of trials) expect(isWithin).toBe(quality.klDivergence <= maxKl);
    const kept = trials.filter(({ isWithin }) => isWithin);
    expect(parameters).toBe(Math.min(...kept.map((trial) => trial.parameters)));
    const largest = Math.max(...kept.map(({ sparsity }) => sparsity));
    const beyond = trials.flatMap(({ isWithin, sparsity }) => (isWithin ? [] : [sparsity]));
    expect(Math.min(...beyond) - largest).toBeLessThanOrEqual(0.0101);
    expect(Math.abs(largest - 0.25)).toBeLessThan(0.02);
    expect(splits).toEqual([]);
    const { quality } = kept.find((trial) => trial.parameters === parameters)!;
    expect(quality).toEqual(await qualityAt(largest));
  });

  test("is not asked twice of one model: a width in steps is the same for many sparsities", async () => {
    const { trials } = await within({ maxKl: 0.15 }, { method: STEPS }, 0.3);
    const parameters = trials.map((trial) => trial.parameters);
    expect(new Set(parameters).size).toBe(parameters.length);
  });

  test("that allows everything leaves the most that may go", async () => {
    const { trials, parameters } = await within({ maxKl: 50 }, {}, 0.15);
    expect(trials).toMatchObject([{ sparsity: 0.15, isWithin: true }]);
    expect(parameters).toBe(countParameters(decide(spec, {}, quick(), 0.15).spec).total);
  });

  test.each<[string, SureJudge, boolean]>([
    ["both hold", new SureJudge(0.05, 0.09), true],
    ["the divergence is beyond its own", new SureJudge(0.06, 0), false],
    ["the perplexity is beyond its own", new SureJudge(0, 0.11), false],
    ["the perplexity falls", new SureJudge(0.01, -0.5), true],
  ])("of both kinds holds when both do: %s", async (_, judge, isWithin) => {
    const limits = { maxKl: 0.05, maxPerplexityIncrease: 0.1 };
    if (isWithin)
      expect((await within(limits, { judge, method: STEPS }, 0.3)).trials.every((trial) => trial.isWithin)).toBe(true);
    else expect((await compError(within(limits, { judge, method: STEPS }, 0.3))).kind).toBe("budget");
  });

  test.each<[string, SureJudge, Partial<QualityLimits>, RegExp]>([
    [
      "the divergence",
      new SureJudge(0.3, 0),
      { maxKl: 0.01 },
      /^no cut stays within a KL divergence of 0\.01: with \d+\.\d % less it is 0\.3$/,
    ],
    [
      "the perplexity",
      new SureJudge(0, 1.2),
      { maxKl: 1, maxPerplexityIncrease: 0.5 },
      /^no cut stays within 50\.0 % more perplexity: with \d+\.\d % less there is 120\.0 % more perplexity$/,
    ],
  ])("out of reach says so: %s", async (_, judge, limits, message) => {
    const error = await compError(within(limits, { judge, method: STEPS }, 0.3));
    expect(error.kind).toBe("budget");
    expect(error.message).toMatch(message);
  });

  test("has the splits of all its trials, where there are any to look for", async () => {
    const method = { ...methodOf({ widths: "equal", multipleOf: 1 }, spec), criterion: wanda };
    const judge = new SureJudge(0, 0);
    const findings = { influences: [9, 9, 9] };
    const { splits, trials } = await within(
      { maxKl: 1 },
      { method, judge, windows: someWindows(12, 24) },
      0.4,
      findings,
    );
    const tried = trials.map(({ sparsity }) => sparsity);
    expect(splits.map(({ sparsity }) => sparsity)).toEqual([...tried, tried.at(-1)]);
  });
});
