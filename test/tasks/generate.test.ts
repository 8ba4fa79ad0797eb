import { beforeAll, describe, expect, test } from "vitest";
import type { GeneratedToken } from "../../src/events/model.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import type { GenerateOptions } from "../../src/options/generate.ts";
import { generateText } from "../../src/tasks/generate.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { expectedLogits, tinyPath } from "../helpers/fixtures.ts";

const { ids, shape, logits } = expectedLogits("llama");
const [, length, vocabSize] = shape as [number, number, number];

/** What transformers ranks first after the first window. */
const next = (() => {
  const row = logits.slice((length - 1) * vocabSize, length * vocabSize);
  return row.indexOf(Math.max(...row));
})();

/** A token is a letter of the text. */
const letters: Tokenizer = {
  encode: (text) => [...text].map((letter) => letter.codePointAt(0)! - 32),
  decode: (tokens) => String.fromCodePoint(...tokens.map((id) => id + 32)),
  token: (id) => String.fromCodePoint(id + 32),
  bosTokenId: undefined,
  eosTokenIds: [],
  addsBos: false,
  vocabSize,
};

let model: Model;
beforeAll(async () => {
  model = await openModel(await openPath(tinyPath("llama")));
});

async function generate(options: Partial<GenerateOptions>, tokenizer: Tokenizer = letters) {
  const all = { prompt: "", maxTokens: 4, temperature: 0, seed: 0, ...options };
  const tokens: GeneratedToken[] = [];
  const request = { backend: nodeBackend(1), model, tokenizer, options: all, budgetBytes: Number.POSITIVE_INFINITY };
  await generateText(request, (token) => tokens.push(token));
  return tokens;
}

const prompt = letters.decode(ids[0]!);

describe("generation", () => {
  test("greedy, the first token is the one that transformers ranks first", async () => {
    const tokens = await generate({ prompt });
    expect(tokens).toHaveLength(4);
    expect(tokens[0]).toEqual({ id: next, text: letters.decode([next]) });
  });

  test("the same seed samples the same text", async () => {
    const options = { prompt, temperature: 1, seed: 5 };
    expect(await generate(options)).toEqual(await generate(options));
  });

  test("it ends at a token that ends the text", async () => {
    expect(await generate({ prompt }, { ...letters, eosTokenIds: [next] })).toEqual([]);
  });

  test("it ends at the model's longest context", async () => {
    const room = model.spec.maxPositionEmbeddings - ids[0]!.length;
    expect(await generate({ prompt, maxTokens: 1000 })).toHaveLength(room);
  });

  test("a character spread over two tokens appears with the second", async () => {
    let count = 0;
    const decode = (tokens: readonly number[]) => (tokens.length % 2 === 0 ? "é".repeat(tokens.length / 2) : "é\ufffd");
    const texts = (await generate({ prompt: "ab" }, { ...letters, decode })).map(({ text }) => text);
    for (const text of texts) expect(text).toBe(count++ % 2 === 0 ? "" : "é");
  });

  test("BOS comes first where the tokenizer adds it", async () => {
    const bos = { ...letters, bosTokenId: ids[0]![0]!, addsBos: true };
    expect(await generate({ prompt: prompt.slice(1) }, bos)).toEqual(await generate({ prompt }));
  });
});

describe("refusals", () => {
  test("a prompt that fills the context", () => {
    const longest = model.spec.maxPositionEmbeddings;
    return expect(generate({ prompt: "a".repeat(longest) })).rejects.toThrow(
      `the prompt has ${longest} tokens, the model takes ${longest}`,
    );
  });

  test("a prompt with a token that the model has no embedding for", () =>
    expect(generate({ prompt: String.fromCodePoint(vocabSize + 32) })).rejects.toThrow(
      `the prompt has the token "\\u0080" (id ${vocabSize}), for which the model has no`,
    ));

  test("no prompt, and a tokenizer without a token to begin with", () =>
    expect(generate({})).rejects.toThrow("no token to begin with"));
});
