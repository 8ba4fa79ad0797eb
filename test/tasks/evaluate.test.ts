import { beforeAll, describe, expect, test } from "vitest";
import type { EvalEvent, EvalResult } from "../../src/events/eval.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/backend.ts";
import { openPath } from "../../src/node/open-path.ts";
import type { EvalOptions } from "../../src/options/eval.ts";
import { evaluateText } from "../../src/tasks/evaluate.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { expectedLogits, tinyPath } from "../helpers/fixtures.ts";

// both fixtures were run by transformers on the same two windows
const own = expectedLogits("llama");
const dense = expectedLogits("llama-gelu");
const [, length, vocabSize] = own.shape as [number, number, number];

const tokenizer: Tokenizer = {
  encode: () => own.ids.flat(),
  decode: () => "",
  bosTokenId: undefined,
  eosTokenIds: [],
  addsBos: false,
  vocabSize,
};
const text = { name: "text", text: "" };

let models: { own: Model; dense: Model };
beforeAll(async () => {
  const open = async (family: string) => openModel(await openPath(tinyPath(family)));
  models = { own: await open("llama"), dense: await open("llama-gelu") };
});

async function evaluate(options: Partial<EvalOptions>, extra: { dense?: Model; hiddenBytes?: number } = {}) {
  const events: EvalEvent[] = [];
  const all: EvalOptions = { context: length, windows: 0, bos: false, ...options };
  const request = { backend: nodeBackend(1), model: models.own, tokenizer, text, options: all, ...extra };
  for await (const event of evaluateText(request)) events.push(event);
  const last = events.at(-1)!;
  return { events, result: (last.type === "done" ? last.result : undefined) as EvalResult };
}

/** Log-probabilities [vocabSize] of one position, in plain f64. */
function logProbabilities(logits: readonly number[], position: number): number[] {
  const row = logits.slice(position * vocabSize, (position + 1) * vocabSize);
  const sum = row.reduce((total, logit) => total + Math.exp(logit), 0);
  return row.map((logit) => logit - Math.log(sum));
}

/** Means over all targets, from the logits of transformers. */
function expectedFigures() {
  let [loss, divergence, agreement, targets] = [0, 0, 0, 0];
  own.ids.forEach((ids, window) => {
    for (let i = 0; i + 1 < length; i++) {
      const p = logProbabilities(own.logits, window * length + i);
      const q = logProbabilities(dense.logits, window * length + i);
      loss -= p[ids[i + 1]!]!;
      divergence += q.reduce((sum, value, token) => sum + Math.exp(value) * (value - p[token]!), 0);
      agreement += Number(p.indexOf(Math.max(...p)) === q.indexOf(Math.max(...q)));
      targets++;
    }
  });
  return {
    perplexity: Math.exp(loss / targets),
    klDivergence: divergence / targets,
    topOneAgreement: agreement / targets,
    tokens: targets,
  };
}

describe("figures", () => {
  test("perplexity, divergence and agreement are those of transformers' logits", async () => {
    const { result } = await evaluate({}, { dense: models.dense });
    const expected = expectedFigures();
    expect(result.tokens).toBe(2 * (length - 1));
    expect(result.perplexity).toBeCloseTo(expected.perplexity, 2);
    expect(result.klDivergence).toBeCloseTo(expected.klDivergence, 4);
    expect(result.topOneAgreement).toBeCloseTo(expected.topOneAgreement, 6);
  });

  test("groups of windows give the same figures as all at once", async () => {
    const whole = (await evaluate({}, { dense: models.dense })).result;
    const { result, events } = await evaluate({}, { dense: models.dense, hiddenBytes: 1 });
    expect(events.map((event) => event.type === "stage" && event.done)).toEqual([0, 1, 2, false]);
    expect({ ...result, seconds: 0 }).toEqual({
      ...whole,
      perplexity: expect.closeTo(whole.perplexity, 4),
      klDivergence: expect.closeTo(whole.klDivergence!, 5),
      densePerplexity: expect.closeTo(whole.densePerplexity!, 4),
      seconds: 0,
    });
  });

  test("without a dense model there is no comparison", async () => {
    const { result } = await evaluate({ windows: 1 });
    expect(result).toMatchObject({ windows: 1, tokens: length - 1 });
    expect(result).not.toHaveProperty("klDivergence");
  });
});

describe("refusals", () => {
  test("a text shorter than a window", () =>
    expect(evaluate({ context: 100 })).rejects.toThrow("text has 48 tokens, a window needs 100"));

  test("--bos with a tokenizer that has none", () =>
    expect(evaluate({ bos: true })).rejects.toThrow("this model's tokenizer has no BOS token"));

  test("a dense model of another vocabulary", () => {
    const other = { ...models.dense, spec: { ...models.dense.spec, vocabSize: 7 } };
    return expect(evaluate({}, { dense: other })).rejects.toThrow("the vocabularies differ: 96 tokens here, 7 in");
  });
});
