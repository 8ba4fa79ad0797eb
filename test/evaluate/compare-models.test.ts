import { expect, test } from "vitest";
import { evaluateModel } from "../../src/evaluate/compare-models.ts";
import { judgedWhole } from "../../src/evaluate/judged-windows.ts";
import { openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import { expectedLogits, TINY_FAMILIES, tinyPath } from "../helpers/fixtures.ts";

const backend = nodeBackend(1);

/** exp of the mean negative log-likelihood, in f64, from the logits of transformers. */
function expectedPerplexity({ ids, shape, logits }: ReturnType<typeof expectedLogits>): number {
  const [windows, length, vocabSize] = shape as [number, number, number];
  let loss = 0;
  for (let window = 0; window < windows; window++)
    for (let i = 0; i + 1 < length; i++) {
      const row = logits.slice((window * length + i) * vocabSize, (window * length + i + 1) * vocabSize);
      loss += Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - row[ids[window]![i + 1]!]!;
    }
  return Math.exp(loss / (windows * (length - 1)));
}

test.each(TINY_FAMILIES)("%s has the perplexity of transformers' logits", async (family) => {
  const expected = expectedLogits(family);
  const [count, length] = expected.shape as [number, number, number];
  const model = await openModel(await openPath(tinyPath(family)));
  const windows = { ids: Int32Array.from(expected.ids.flat()), count, length };
  const { perplexity, tokens, comparison } = await evaluateModel(backend, model, judgedWhole(windows), {
    dense: model,
  });
  const exact = expectedPerplexity(expected);
  expect(perplexity / exact).toBeCloseTo(1, 4);
  expect(tokens).toBe(count * (length - 1));
  expect(comparison!.densePerplexity / exact).toBeCloseTo(1, 4);
  expect(comparison!.klDivergence).toBeCloseTo(0, 6);
  expect(comparison!.topOneAgreement).toBe(1);
  await model.checkpoint.close();
});
