// What is refused of an output that has been written: a model that predicts otherwise, a tokenizer that reads otherwise.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { evaluateModel } from "../../src/evaluate/compare-models.ts";
import { Judge } from "../../src/evaluate/judge.ts";
import { judgedWhole } from "../../src/evaluate/judged-windows.ts";
import { type Expected, verifyOutput } from "../../src/evaluate/verify-output.ts";
import type { Quality } from "../../src/events/common.ts";
import { LayerRunner } from "../../src/forward/run/layer-runner.ts";
import { openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { compError } from "../helpers/errors.ts";
import { memoryFolder, memoryOutput } from "../helpers/memory.ts";
import { testRun, tinyWindows } from "../helpers/run.ts";
import { tinyWithTokenizer } from "../helpers/small-models.ts";
import { sharedFolder } from "../helpers/temporary.ts";

const backend = nodeBackend(1);
const folder = tinyWithTokenizer(sharedFolder(), "llama");
const files = Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
const output = { ...memoryOutput(), staged: memoryFolder(files) };

let expected: Expected;
let close: () => Promise<void>;
beforeAll(async () => {
  const checkpoint = await openPath(folder);
  const windows = tinyWindows("llama");
  const dense = await openModel(checkpoint);
  const [runner, judge] = [new LayerRunner(backend, dense.spec), new Judge(windows)];
  await judge.meetDense(testRun(), runner, dense);
  await runner.release();
  const { perplexity } = await evaluateModel(backend, dense, judgedWhole(windows));
  expected = { judge, dense, perplexity, openTokenizer: () => openTokenizer(checkpoint) };
  close = () => checkpoint.close();
});
afterAll(() => close());

const verify = (over: Partial<Expected>): Promise<Quality> =>
  verifyOutput(backend, output, { ...expected, ...over }, { format: "safetensors", dtype: "F32" });

test("the model that was measured is taken, and one that differs as much as rounding may make it", async () => {
  const { perplexity, klDivergence } = await verify({});
  expect(perplexity.after).toBe(expected.perplexity);
  expect(klDivergence).toBeCloseTo(0, 6);
  await verify({ perplexity: expected.perplexity * 1.0005 });
});

test.each([1.002, 0.5, Number.NaN])("a perplexity %f times as high is refused", async (factor) => {
  const { kind, message } = await compError(verify({ perplexity: expected.perplexity * factor }));
  expect(kind).toBe("output");
  expect(message).toMatch(/^the written model has perplexity \d+\.\d\d instead of /);
});

test("a tokenizer that gives other ids than the source's is refused", async () => {
  const tokenizer = await expected.openTokenizer();
  const longer = { ...tokenizer, encode: (text: string) => [...tokenizer.encode(text), 1] };
  const other = { ...tokenizer, encode: (text: string) => tokenizer.encode(text).map((id) => id ^ 1) };
  for (const source of [longer, other])
    expect((await compError(verify({ openTokenizer: async () => source }))).message).toBe(
      "the written tokenizer gives other ids than the source's",
    );
});
