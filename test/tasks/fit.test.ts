// The search for the best model within a limit, on the first layer of the demo model.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Fit, FitEvent } from "../../src/events/fit.ts";
import { openModel } from "../../src/model/model.ts";
import { type FitRequest, fit as fitModel } from "../../src/node/fit.ts";
import { openPath } from "../../src/node/open-path.ts";
import { limitsOf } from "../../src/tasks/fit.ts";
import { interpolated } from "../../src/tasks/fit-costs.ts";
import { compError } from "../helpers/errors.ts";
import { prose } from "../helpers/prune-demo.ts";
import { shortDemo } from "../helpers/small-models.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";

const model = shortDemo(sharedFolder(), 1);

async function fitted(request: Partial<FitRequest>, output: string): Promise<Fit> {
  const events: FitEvent[] = [];
  const small = { samples: 8, context: 32, calibration: [prose], threads: 1, probes: 0, noCache: true };
  for await (const event of fitModel({ ...small, ...request, model, output })) events.push(event);
  const last = events.at(-1)!;
  if (last.type !== "done") throw new Error(`ended with ${last.type}`);
  return last.fit;
}

test("where a plain quantization meets the limit at little cost it is taken, and nothing is pruned", async () => {
  const output = join(temporaryFolder(), "small.gguf");
  const { mixes, plain, result } = await fitted({ size: "0.55MB" }, output);
  expect(mixes[0]).toMatchObject({ dtype: "q5_k_m", sparsity: 0 });
  expect(plain).toEqual(mixes[0]);
  expect(mixes.map(({ klDivergence }) => klDivergence)).toEqual(
    mixes.map(({ klDivergence }) => klDivergence).toSorted((a, b) => a - b),
  );
  expect(result.sparsity.all).toBe(0);
  expect(statSync(output).size).toBeLessThanOrEqual(0.55e6);
});

test("below the smallest type it prunes as well, and stays within the limit", async () => {
  const output = join(temporaryFolder(), "smaller.gguf");
  const fit = await fitted({ size: "0.4MB", preset: "wanda-sp", prune: "mlp" }, output);
  expect(fit.mixes[0]!.sparsity).toBeGreaterThan(0);
  expect(fit).not.toHaveProperty("plain");
  expect(fit.result.sparsity.all).toBeGreaterThan(0.05);
  expect(statSync(output).size).toBeLessThanOrEqual(0.4e6);
  expect(statSync(output).size).toBeGreaterThan(0.3e6);
});

test("a limit that nothing meets names the nearest that can be met, and nothing is written", async () => {
  const output = join(temporaryFolder(), "never.gguf");
  const error = await compError(fitted({ size: "100KB" }, output));
  expect(error.message).toMatch(
    /^no model made of this one fits into 100\.0 kB of size; the nearest .* is \d+\.\d kB$/,
  );
  expect(error.hint).toMatch(/^give --size \d+\.\dkB, /);
  expect(existsSync(output)).toBe(false);
});

test("without a limit there is nothing to look for", async () => {
  const error = await compError(fitted({}, join(temporaryFolder(), "any.gguf")));
  expect(error).toMatchObject({ kind: "option", message: "there is no limit to fit into" });
});

test("memory at run time counts weights, keys and values, and buffers", async () => {
  const { spec } = await openModel(await openPath(model));
  const figures = { parameters: 2, numKeyValueHeads: { before: 4, after: 2 }, layers: { before: 4, after: 3 } };
  const plan = { ...figures, bytes: { before: 0, after: 1000 } } as never;
  const takes = (context: number): number =>
    limitsOf({ runtimeMemory: "1GB", runtimeContext: context }, spec)[0]!.takes(plan, 0);
  // f16 keys and values of 2 heads in each of 3 layers
  expect(takes(200) - takes(100)).toBe(100 * 3 * 2 * spec.headDim * 2 * 2);
  expect(takes(1) - 1000).toBeGreaterThan(512 * 4 * spec.vocabSize);
});

test("between measured sizes a cost lies on the line through them, beyond the last it goes on", () => {
  const points = [
    { sparsity: 0.2, cost: 0.4 },
    { sparsity: 0.4, cost: 1.4 },
  ];
  expect([0.1, 0.2, 0.3, 0.5].map((sparsity) => interpolated(points, sparsity))).toEqual([
    expect.closeTo(0.2, 12),
    expect.closeTo(0.4, 12),
    expect.closeTo(0.9, 12),
    expect.closeTo(1.9, 12),
  ]);
  expect(interpolated([], 0.3)).toBe(0);
});
