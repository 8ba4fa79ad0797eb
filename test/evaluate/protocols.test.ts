// Ways to judge a text: each has the figures of torch, where its authors' code or transformers' guide defines them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { cutWindows } from "../../src/evaluate/judged-windows.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import { type JudgingChoices, type ProtocolName, settleJudging } from "../../src/options/protocols.ts";
import { evaluateText } from "../../src/tasks/evaluate.ts";
import { openTokenizer, type Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { DEMO_MODEL, ROOT } from "../helpers/built.ts";
import { demoCopy } from "../helpers/small-models.ts";
import { sharedFolder } from "../helpers/temporary.ts";

type Expected = { readonly characters: number } & Readonly<
  Record<ProtocolName, { readonly perplexity: number; readonly tokens: number; readonly windows: number }>
>;

const expected = JSON.parse(readFileSync(join(ROOT, "test/fixtures/protocols.json"), "utf8")) as Expected;
const text = {
  name: "mix.txt",
  text: readFileSync(join(ROOT, "data/calibration-mix.txt"), "utf8").slice(0, expected.characters),
};

let model: Model;
let tokenizer: Tokenizer;
beforeAll(async () => {
  const long = demoCopy(sharedFolder(), (config) => ({ ...config, max_position_embeddings: 2048 }));
  model = await openModel(await openPath(long));
  tokenizer = await openTokenizer(model.checkpoint);
});

const judge = (choices: JudgingChoices, dense?: Model) =>
  evaluateText(
    { backend: nodeBackend(), model, tokenizer, text, dense, options: settleJudging(choices) },
    () => undefined,
  );

test.each<[JudgingChoices & { protocol: ProtocolName }, object]>([
  [{ protocol: "windows", context: 256, windows: 8 }, {}],
  [
    { protocol: "strided", context: 256, stride: 100, windows: 0 },
    { context: 256, stride: 100 },
  ],
  [{ protocol: "llm-pruner" }, { context: 128 }],
  [{ protocol: "wanda" }, { context: 2048 }],
])("%j has the perplexity that torch has", async (choices, extent) => {
  const { perplexity, tokens, windows } = expected[choices.protocol];
  const result = await judge(choices);
  expect(result).toMatchObject({ protocol: choices.protocol, tokens, windows, ...extent });
  expect(Math.abs(result.perplexity / perplexity - 1)).toBeLessThan(1e-4);
});

test("strided windows count divergence on the same tokens, and bits by their bytes", async () => {
  const strided = { protocol: "strided", context: 64, stride: 16, windows: 6 } as const;
  const result = await judge(strided, model);
  expect(result).toMatchObject({ klDivergence: expect.closeTo(0, 6), topOneAgreement: 1, tokens: 63 + 5 * 16 });
  const ids = tokenizer.encode(text.text).slice(0, 64 + 5 * 16);
  const bytes = Buffer.byteLength(tokenizer.decode(ids)) - Buffer.byteLength(tokenizer.decode(ids.slice(0, 1)));
  expect(result.bitsPerByte).toBeCloseTo((result.tokens * Math.log2(result.perplexity)) / bytes, 6);
});

describe("windows of counted tokens", () => {
  const letters: Tokenizer = {
    encode: (text) => [...text].map((letter) => letter.charCodeAt(0)),
    decode: (ids) => String.fromCharCode(...ids),
    token: (id) => String.fromCharCode(id),
    bosTokenId: 1,
    eosTokenIds: [],
    addsBos: true,
    vocabSize: 128,
  };
  const cut = (text: string, choices: JudgingChoices) => {
    const options = settleJudging({ windows: 0, ...choices });
    const { ids, length, judged } = cutWindows({
      model,
      tokenizer: letters,
      text: { name: "letters.txt", text },
      options,
    });
    return judged.map(({ from, end }, i) => {
      const window = letters.decode([...ids.subarray(i * length, (i + 1) * length)]).replaceAll("\u0001", "<");
      return `${window.slice(0, from)}[${window.slice(from, end)}]${window.slice(end)}`;
    });
  };

  test("stand side by side, an incomplete one left out", () => {
    expect(cut("abcdefghij", { context: 4 })).toEqual(["a[bcd]", "e[fgh]"]);
    expect(cut("abcdefghij", { context: 4, bos: true })).toEqual(["<[abcd]", "<[efgh]"]);
  });

  test("overlap, each token judged once, the last window filled up behind", () => {
    const strided = { protocol: "strided", context: 4 } as const;
    expect(cut("abcdefghi", { ...strided })).toEqual(["a[bcd]", "cd[ef]", "ef[gh]", "gh[i]i"]);
    expect(cut("abcdefgh", { ...strided })).toEqual(["a[bcd]", "cd[ef]", "ef[gh]"]);
    expect(cut("abcdefgh", { ...strided, stride: 3, bos: true })).toEqual(["<[abcd]", "<d[efg]", "<g[h]hh"]);
    expect(cut("abcdefgh", { ...strided, windows: 2 })).toEqual(["a[bcd]", "cd[ef]"]);
  });

  test("of a published protocol are of the rows, with BOS at the start of all", () => {
    const long = "x".repeat(126);
    // blank lines are empty rows; each row keeps its end, and rows are joined by two more
    expect(cut(`a\n \n${long}`, { protocol: "llm-pruner" })).toEqual([`<[a\n\n\n\n\n${"x".repeat(121)}]`]);
  });
});

test.each<[JudgingChoices, string]>([
  [{ protocol: "wanda", context: 512 }, "the protocol wanda has windows of 2048 tokens as they are"],
  [{ protocol: "llm-pruner", bos: true }, "the protocol llm-pruner has windows of 128 tokens as they are"],
  [{ stride: 8 }, "a stride is for the protocol strided alone"],
  [{ protocol: "strided", context: 8, stride: 8 }, "the stride must be less than the 8 tokens of a window, got 8"],
])("%j is refused", (choices, message) => {
  expect(() => settleJudging(choices)).toThrow(message);
});

test("a model of shorter texts than a protocol's windows is refused", async () => {
  const short = await openModel(await openPath(DEMO_MODEL));
  const request = { model: short, tokenizer, text, options: settleJudging({ protocol: "wanda" }) };
  expect(() => cutWindows(request)).toThrow("takes 512 tokens, the protocol wanda has windows of 2048 tokens");
});
