import { afterAll, expect, test } from "vitest";
import { decide } from "../../src/allocation/decide.ts";
import { pruneLayers, tryDecision } from "../../src/prune/sweep.ts";
import { methodOf } from "../helpers/method.ts";
import { openTiny, testRun } from "../helpers/run.ts";
import { qualityOf, sweepOf } from "../helpers/sweep.ts";

const tiny = await openTiny("llama");
afterAll(() => tiny.close());

test("a trial finds the quality that the pruned model would have, and tells of its layers only how far it is", async () => {
  const method = methodOf({ preset: "wanda-sp", sparsity: 0.2, multipleOf: 8 }, tiny.model.spec);
  const decision = decide(tiny.model.spec, {}, method, 0.2);
  const run = testRun();
  const quality = await tryDecision(run, sweepOf(tiny, method), decision);
  const sweep = sweepOf(tiny, method);
  expect(quality).toEqual(await qualityOf(testRun(), sweep, await pruneLayers(testRun(), sweep, decision)));
  expect(run.events).toEqual([0, 1, 2].map((done) => ({ type: "stage", name: "trial", done, total: 3 })));
});
