import { describe, expect, test } from "vitest";
import { encodeRequest } from "../../src/evaluate/encode-requests.ts";
import { logLikelihoods } from "../../src/evaluate/likelihoods.ts";
import { figuresOf, scoreItem } from "../../src/evaluate/score.ts";
import { openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { expectedLogits, tinyPath } from "../helpers/fixtures.ts";

/** From the logits of transformers: of a window's tokens `from` to `to` − 1. */
function expectedLikelihood(family: string, window: number, from: number, to: number): number {
  const { ids, logits, shape } = expectedLogits(family);
  const [, length, vocabSize] = shape as [number, number, number];
  let sum = 0;
  for (let i = from; i < to; i++) {
    const row = logits.slice((window * length + i - 1) * vocabSize, (window * length + i) * vocabSize);
    sum += row[ids[window]![i]!]! - Math.log(row.reduce((total, logit) => total + Math.exp(logit), 0));
  }
  return sum;
}

// an attention of each kind of position, a sliding window, and mixers that can share nothing
describe.each(["llama", "gpt2", "gemma3", "olmo3", "lfm2", "qwen3.5"])("%s", (family) => {
  const { ids, shape } = expectedLogits(family);
  const length = shape[1]!;
  const request = (text: readonly number[], from: number, to: number) => ({
    inputs: text.slice(0, to - 1),
    targets: text.slice(from, to),
  });

  test("likelihoods are those of transformers, whatever else continues the same beginning", async () => {
    const model = await openModel(await openPath(tinyPath(family)));
    const [own, other] = [ids[0]!, ids[1]!];
    const astray = [...own.slice(0, 6), ...other.slice(6, 11)];
    const questions = [
      [request(astray, 6, 11), request(own, 6, length), request(own, 6, 9)],
      [request(other, 2, length), request(other, length - 1, length)],
    ];
    const layers: number[] = [];
    const options = { hiddenBytes: 1, onLayer: (done: number) => layers.push(done) };
    const [first, second] = await logLikelihoods(nodeBackend(1), model, questions, options);
    const found = [first![1], first![2], ...second!].map((answer) => answer!.logLikelihood);
    const expected = [
      expectedLikelihood(family, 0, 6, length),
      expectedLikelihood(family, 0, 6, 9),
      expectedLikelihood(family, 1, 2, length),
      expectedLikelihood(family, 1, length - 1, length),
    ];
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 3);
    });
    expect(layers.at(-1)).toBe(layers.length);
  });
});

test.each(["phi3-longrope", "dynamic-rope"])(
  "%s: texts that rotate by their own length are as if alone",
  async (family) => {
    const model = await openModel(await openPath(tinyPath(family)));
    const [own] = expectedLogits(family).ids;
    const short = { inputs: own!.slice(0, 8), targets: own!.slice(8, 9) };
    const long = { inputs: own!.slice(0, -1), targets: own!.slice(-4) };
    const judge = async (...questions: (typeof short)[][]) =>
      (await logLikelihoods(nodeBackend(1), model, questions, { hiddenBytes: 2 ** 20, onLayer: () => {} })).flat();
    const [together, apart] = [await judge([short, long]), await judge([short], [long])];
    together.forEach(({ logLikelihood }, i) => {
      expect(logLikelihood).toBeCloseTo(apart[i]!.logLikelihood, 4);
    });
  },
);

describe("requests are encoded as a whole", () => {
  const tokenizer: Tokenizer = {
    encode: (text) => [...text].map((letter) => letter.charCodeAt(0)),
    decode: () => "",
    token: () => undefined,
    bosTokenId: 1,
    eosTokenIds: [2],
    addsBos: true,
    vocabSize: 128,
  };
  const codes = (text: string) => tokenizer.encode(text);

  test("with BOS where the tokenizer adds it; blanks go to the continuation", () => {
    const { inputs, targets } = encodeRequest(tokenizer, { context: "ab ", continuation: "cd" }, 100);
    expect(inputs).toEqual([1, ...codes("ab c")]);
    expect(targets).toEqual(codes(" cd"));
  });

  test("and lose their beginning where they do not fit", () => {
    const { inputs, targets } = encodeRequest(
      { ...tokenizer, addsBos: false },
      { context: "abcd", continuation: "ef" },
      3,
    );
    expect(inputs).toEqual(codes("cde"));
    expect(targets).toEqual(codes("ef"));
  });

  test("and begin with BOS, or EOS, where there is no context", () => {
    const bare = { ...tokenizer, addsBos: false, bosTokenId: undefined };
    expect(encodeRequest(bare, { context: "", continuation: "a" }, 9)).toEqual({ inputs: [2], targets: codes("a") });
  });
});

describe("scores", () => {
  const said = (...values: number[]) => values.map((logLikelihood) => ({ logLikelihood, isGreedy: false }));
  const question = { requests: [], choices: ["é", "four"], answer: 1 };

  test("divide by characters, not by bytes, where lengths count", () => {
    expect(scoreItem("choice-and-normalised", question, said(-3, -4))).toMatchObject({
      correct: false,
      correctNormalised: true,
    });
    expect(scoreItem("choice", question, said(-3, -4))).toEqual({
      logLikelihoods: [-3, -4],
      answer: 1,
      correct: false,
    });
  });

  test("have the standard error of a mean", () => {
    const items = [true, true, false, true].map((correct) => ({ logLikelihoods: [-1], answer: 0, correct }));
    expect(figuresOf("choice", items)).toEqual({ acc: 0.75, accStderr: 0.25, n: 4 });
    expect(figuresOf("greedy", items)).toMatchObject({ perplexity: Math.E, perplexityStderr: 0 });
    expect(figuresOf("choice", items.slice(0, 1)).accStderr).toBe(0);
  });
});
