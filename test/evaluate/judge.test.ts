// A judge's figures by hand, from logits computed in f64.
import { afterAll, expect, test } from "vitest";
import { Judge } from "../../src/evaluate/judge.ts";
import { embed } from "../../src/forward/run/embed.ts";
import { runLayers } from "../../src/forward/run/layer-runner.ts";
import { divergences, mean, ofStates } from "../helpers/divergence.ts";
import { openTiny, testRun, tinyWindows } from "../helpers/run.ts";

const { model, runner, close } = await openTiny("llama");
afterAll(close);

const windows = tinyWindows("llama");

test("perplexity, divergence and agreement are means over the tokens that have a next one", async () => {
  const dense = await embed(model, windows);
  await runLayers(runner, model, dense);
  const pruned = dense.withValues(dense.all.map((value, i) => value * (1 + 0.3 * Math.sin(i))));
  const judge = new Judge(windows);
  await judge.meetDense(testRun(), runner, model);
  const quality = await judge.qualityOf(runner, model, pruned);

  const [p, q] = [await ofStates(model, dense.all), await ofStates(model, pruned.all)];
  const targets = [...windows.ids.keys()].filter((i) => (i + 1) % windows.length !== 0);
  const meanOf = (figure: (token: number) => number): number => mean(targets.map(figure));
  const lossOf = (from: number[][]) => meanOf((token) => -from[token]![windows.ids[token + 1]!]!);
  const best = (row: number[]): number => row.indexOf(Math.max(...row));
  expect(quality.tokens).toBe(46);
  expect(quality.perplexity.before).toBeCloseTo(Math.exp(lossOf(p)), 2);
  expect(quality.perplexity.after).toBeCloseTo(Math.exp(lossOf(q)), 2);
  const each = divergences(p, q);
  const divergence = meanOf((token) => each[token]!);
  expect(divergence).toBeGreaterThan(0.01);
  expect(quality.klDivergence).toBeCloseTo(divergence, 4);
  expect(quality.topOneAgreement).toBeCloseTo(
    meanOf((token) => Number(best(p[token]!) === best(q[token]!))),
    6,
  );
});
