import { beforeAll, describe, expect, test } from "vitest";
import { cutWindows } from "../../src/evaluate/judged-windows.ts";
import type { StageEvent } from "../../src/events/common.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import { type JudgingChoices, settleJudging } from "../../src/options/protocols.ts";
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
  token: (id) => `<${id}>`,
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

async function evaluate(options: JudgingChoices, extra: { model?: Model; dense?: Model; hiddenBytes?: number } = {}) {
  const stages: StageEvent[] = [];
  const all = settleJudging({ context: length, windows: 0, ...options });
  const request = { backend: nodeBackend(1), model: models.own, tokenizer, text, options: all, ...extra };
  const result = await evaluateText(request, (event) => stages.push(event));
  return { stages, result };
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
    const { result, stages } = await evaluate({}, { dense: models.dense, hiddenBytes: 1 });
    expect(stages.map(({ done }) => done)).toEqual([0, 1, 2]);
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

  test("a token that the model has no embedding for", () => {
    const model = { ...models.own, spec: { ...models.own.spec, vocabSize: Math.max(...own.ids.flat()) } };
    const id = model.spec.vocabSize;
    return expect(evaluate({}, { model })).rejects.toThrow(`text has the token "<${id}>" (id ${id}), for which`);
  });

  test("a dense model of another vocabulary", () => {
    const other = { ...models.dense, spec: { ...models.dense.spec, vocabSize: 7 } };
    return expect(evaluate({}, { dense: other })).rejects.toThrow("the vocabularies differ: 96 tokens here, 7 in");
  });
});

test("the windows are of the documents, whatever holds them", () => {
  const rows = [{ text: "one\r\ntwo" }, { messages: [{ role: "user", content: "Hi" }] }];
  const lines = rows.map((row) => JSON.stringify(row)).join("\n");
  const spellings = [
    { name: "x.jsonl", text: lines },
    { name: "x.ndjson", text: lines },
    { name: "x.json", text: JSON.stringify(rows) },
    { name: "x.parquet", text: ["one\ntwo", "user: Hi"] },
    { name: "x.txt", text: "one\r\ntwo\r\n\r\nuser: Hi" },
  ];
  const encoded: string[] = [];
  const encode = (text: string): number[] => {
    encoded.push(text);
    return own.ids.flat();
  };
  for (const text of spellings)
    cutWindows({
      model: models.own,
      tokenizer: { ...tokenizer, encode },
      text,
      options: settleJudging({ context: length, windows: 0 }),
    });
  expect(encoded).toEqual(spellings.map(() => "one\ntwo\n\nuser: Hi"));
});
