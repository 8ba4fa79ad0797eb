// Log-likelihoods of the trees of questions against plain passes over each text alone.
import { describe, expect, test } from "vitest";
import { type EncodedRequest, encodeRequest } from "../../src/evaluate/encode-requests.ts";
import { type Likelihood, logLikelihoods } from "../../src/evaluate/likelihoods.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { tinyPath } from "../helpers/fixtures.ts";
import { forwardLogits } from "../helpers/forward-logits.ts";
import { QUESTIONS } from "../helpers/questions.ts";

/** What a pass over the text of one request says, summed in f64. */
async function alone(model: Model, { inputs, targets }: EncodedRequest): Promise<Likelihood> {
  const rows = (await forwardLogits(model, inputs)).slice(-targets.length);
  const logProbability = (row: Float32Array, target: number): number =>
    row[target]! - Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return {
    logLikelihood: rows.reduce((sum, row, i) => sum + logProbability(row, targets[i]!), 0),
    isGreedy: rows.every((row, i) => row.indexOf(Math.max(...row)) === targets[i]),
  };
}

const together = (model: Model, questions: readonly (readonly EncodedRequest[])[], hiddenBytes = 2 ** 24) =>
  logLikelihoods(nodeBackend(1), model, questions, { hiddenBytes, onLayer: () => undefined });

async function expectSame(model: Model, questions: readonly (readonly EncodedRequest[])[]): Promise<void> {
  const answers = await together(model, questions);
  expect(answers.map(({ length }) => length)).toEqual(questions.map(({ length }) => length));
  for (const [i, question] of questions.entries())
    for (const [j, request] of question.entries()) {
      const { logLikelihood, isGreedy } = await alone(model, request);
      expect(answers[i]![j]).toEqual({ logLikelihood: expect.closeTo(logLikelihood, 3), isGreedy });
    }
}

test("the demo model, on choices that share a context and on contexts that share a beginning", async () => {
  const model = await openModel(await openPath(DEMO_MODEL));
  const tokenizer = await openTokenizer(model.checkpoint);
  const questions = [...QUESTIONS.arc_easy, ...QUESTIONS.winogrande].map(({ requests }) =>
    requests.map((request) => encodeRequest(tokenizer, request, 512)),
  );
  await expectSame(model, questions);
  await model.checkpoint.close();
});

/** Texts of ids below 40: the first tokens are shared, `target` of the last are asked for. */
const request = (seed: number, length: number, target: number, shared: number): EncodedRequest => {
  const ids = Array.from({ length: length + 1 }, (_, i) => 1 + ((i < shared ? 7 * i : 11 * i + 5 * seed) % 37));
  return { inputs: ids.slice(0, -1), targets: ids.slice(-target) };
};

/** Choices of unlike lengths, texts that share nothing, and one that begins another. */
const SHAPES: readonly (readonly EncodedRequest[])[] = [
  [request(1, 14, 3, 10), request(2, 20, 9, 10)],
  [request(4, 9, 4, 0), request(5, 9, 4, 0)],
  [request(6, 12, 2, 8), request(6, 8, 2, 8)],
];

/** What takes another way through a layer than the families of `likelihoods.test.ts`. */
const FAMILIES: Readonly<Record<string, string>> = {
  mixtral: "experts",
  "dynamic-rope": "rotations that change for texts of more than 16 tokens",
};

describe.each(Object.entries(FAMILIES))("%s: %s", (family) => {
  test("each text is judged as if it were alone", async () => {
    const model = await openModel(await openPath(tinyPath(family)));
    await expectSame(model, SHAPES);
    await model.checkpoint.close();
  });
});

test("little memory gives the same answers in the same order, and all layers are told of", async () => {
  const model = await openModel(await openPath(tinyPath("llama")));
  const told: string[] = [];
  const options = { hiddenBytes: 1, onLayer: (done: number, total: number) => told.push(`${done}/${total}`) };
  const answers = await logLikelihoods(nodeBackend(1), model, SHAPES, options);
  const atOnce = await together(model, SHAPES);
  expect(answers).toEqual(
    atOnce.map((of) => of.map((answer) => ({ ...answer, logLikelihood: expect.closeTo(answer.logLikelihood, 4) }))),
  );
  const total = SHAPES.length * model.spec.layers.length;
  expect(told).toEqual(Array.from({ length: total }, (_, i) => `${i + 1}/${total}`));
  await model.checkpoint.close();
});
