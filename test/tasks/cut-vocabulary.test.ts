// --vocabulary: tokens that given texts do not use go, from the demo model and from GGUF files of it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { renderEvaluation } from "../../src/cli/eval.ts";
import { renderResult } from "../../src/cli/render.ts";
import { evaluateModel } from "../../src/evaluate/compare-models.ts";
import { judgedWhole } from "../../src/evaluate/judged-windows.ts";
import type { EvalResult } from "../../src/events/model.ts";
import type { PruneEvent, PruneResult } from "../../src/events/prune.ts";
import { embed } from "../../src/forward/run/embed.ts";
import { openModel } from "../../src/model/model.ts";
import { evaluate } from "../../src/node/evaluate.ts";
import { nodeBackend } from "../../src/node/host.ts";
import { withPaths } from "../../src/node/open-path.ts";
import { type PruneRequest, prune } from "../../src/node/prune.ts";
import type { CalibrationText } from "../../src/options/prune.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { compError } from "../helpers/errors.ts";
import { demoCopy } from "../helpers/small-models.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const bundled = readFileSync(join(import.meta.dirname, "../../data/calibration-mix.txt"), "utf8");
const known = { name: "known.txt", text: bundled.slice(0, 20_000) };
const other = bundled.slice(-20_000);
const HARD = "naïve 😀 世界 مرحبا \t\n  x\u0301 {}[]<|endoftext|> 0123456789";

async function run(options: Partial<PruneRequest>, name = "small"): Promise<PruneResult> {
  let last: PruneEvent | undefined;
  const request = {
    model: DEMO_MODEL,
    sparsity: 0,
    vocabulary: [known],
    output: join(temporaryFolder(), name),
    noCache: true,
    ...options,
  };
  for await (const event of prune(request)) last = event;
  if (last?.type !== "done") throw new Error(`the run ended with ${last?.type}`);
  return last.result;
}

/** What of a model the promise is about: ids of texts as tokens, and the head's view of some of them. */
const lookAt = (path: string) =>
  withPaths(async (open) => {
    const model = await openModel(await open(path));
    const tokenizer = await openTokenizer(model.checkpoint);
    const ids = tokenizer.encode(known.text);
    const windows = { ids: Int32Array.from(ids.slice(0, 256)), count: 2, length: 128 };
    return {
      rows: model.spec.vocabSize,
      tokens: ids.map((id) => tokenizer.token(id)),
      other: tokenizer.decode(tokenizer.encode(other)),
      hard: tokenizer.decode(tokenizer.encode(HARD)),
      perplexity: (await evaluateModel(nodeBackend(), model, judgedWhole(windows))).perplexity,
      states: (await embed(model, windows)).all,
      eos: tokenizer.eosTokenIds.map((id) => tokenizer.token(id)),
    };
  });

describe.each(["small", "small.gguf"])("into %s", (name) => {
  test("known text keeps its tokens, other text is written without loss, and the model is no less sure", async () => {
    const { output, vocabulary } = await run({}, name);
    const [whole, small] = [await lookAt(DEMO_MODEL), await lookAt(output)];
    expect(small.tokens).toEqual(whole.tokens);
    expect(small.other).toBe(whole.other);
    expect(small.hard).toBe(whole.hard);
    expect(small.eos).toEqual(whole.eos);
    expect(small.states).toEqual(whole.states); // rows as they were
    expect(small.rows).toBeLessThan(0.8 * whole.rows);
    expect(small.perplexity).toBeLessThan(whole.perplexity); // what goes had some probability
    expect(vocabulary!.rows).toEqual({ before: whole.rows, after: small.rows });
    expect(vocabulary!.texts).toMatchObject([{ name: "known.txt" }]);
    const { tokens } = vocabulary!.texts[0]!;
    expect(tokens.after).toBe(tokens.before);
    expect(vocabulary!.heldOut!.tokens.after).toBeGreaterThan(vocabulary!.heldOut!.tokens.before);
    expect(vocabulary!.removedProbability).toBeGreaterThan(0);
    expect(vocabulary!.removedProbability).toBeLessThan(0.5);
  });
});

test("a GGUF file is cut like the folder, quantized rows byte for byte", async () => {
  const whole = (await run({ vocabulary: [], dtype: "q8_0" }, "whole.gguf")).output;
  const small = (await run({ model: whole }, "small.gguf")).output;
  const [before, after] = [await lookAt(whole), await lookAt(small)];
  expect(after.tokens).toEqual(before.tokens);
  expect(after.states).toEqual(before.states);
  expect(after.rows).toBe((await lookAt((await run({})).output)).rows);
});

test("what is told says what went", async () => {
  const result = await run({});
  expect(renderResult(result).join("\n")).toMatch(
    /vocabulary +\d,\d+ → [\d,]+ tokens, .* less\n +the whole model gives those that go .* %/,
  );
  const card = readFileSync(join(result.output, "README.md"), "utf8");
  expect(card).toContain("nothing but tokens was removed");
  expect(card).toMatch(/\| known\.txt \| 0\.\d+ \| 0\.\d+ \| 0\.0 % \|/);
  const record = JSON.parse(readFileSync(join(result.output, "pruning.json"), "utf8"));
  expect(record.vocabulary.tokens.after).toBe(result.vocabulary!.tokens.after);
  expect(record.options).not.toHaveProperty("vocabulary");
});

describe("the size", () => {
  test.each([[500], [0.4]])("%d is kept to", async (vocabularySize) => {
    const { vocabulary } = await run({ vocabularySize });
    const { before, after } = vocabulary!.tokens;
    expect(after).toBe(vocabularySize < 1 ? Math.round(vocabularySize * before) : vocabularySize);
    expect(vocabulary!.texts[0]!.tokens.after).toBeGreaterThan(vocabulary!.texts[0]!.tokens.before);
  });

  test("auto keeps what held-out text needs to grow by at most 1 %", async () => {
    const { tokens } = (await run({ vocabularySize: "auto" })).vocabulary!.heldOut!;
    expect(tokens.after / tokens.before).toBeLessThanOrEqual(1.01);
    expect(tokens.after / tokens.before).toBeGreaterThan(1.003); // and not much more than that
  });

  test("below what spells all others is refused", async () => {
    expect(await compError(run({ vocabularySize: 100 }))).toMatchObject({
      kind: "option",
      message: expect.stringMatching(/leaves 100 tokens, and 2\d\d have to stay/),
    });
  });

  test("without texts it is refused", async () => {
    expect(await compError(run({ vocabulary: [], vocabularySize: 500 }))).toMatchObject({
      kind: "option",
      message: "--vocabulary-size needs texts that tell which tokens are used",
    });
  });
});

describe("in the budget", () => {
  const few = { samples: 8, context: 32, calibration: [known] satisfies CalibrationText[] };

  test("the vocabulary gives no more than is to go", async () => {
    const { sparsity, parameters, vocabulary, quality } = await run({ sparsity: 0.03, ...few });
    expect(sparsity).toMatchObject({ decoder: 0 });
    expect(sparsity.all).toBeCloseTo(0.03, 3);
    expect(parameters.before).toBe(vocabulary!.parameters.before);
    expect(quality).toBeUndefined();
  });

  test("neurons make up the rest, and divergence is told over the tokens that stay", async () => {
    const result = await run({ sparsity: 0.3, ...few });
    expect(result.sparsity.all).toBeCloseTo(0.3, 1);
    expect(result.sparsity.decoder).toBeGreaterThan(0);
    expect(result.options.sparsity).toBe(0.3);
    expect(renderResult(result).join("\n")).toContain("over the tokens that stay");
    expect(readFileSync(join(result.output, "README.md"), "utf8")).toContain("over the tokens that stay");
  });
});

test("a model with fewer tokens is compared with the whole one over those that it has", async () => {
  const { output } = await run({});
  const events = [];
  for await (const event of evaluate({ model: output, dense: DEMO_MODEL, text: known, context: 64, windows: 2 }))
    events.push(event);
  const { result } = events.at(-1) as { result: EvalResult };
  expect(result.klDivergence).toBeCloseTo(0, 6); // nothing but tokens went
  expect(result.topOneAgreement).toBe(1);
  expect(result.perplexity).toBeCloseTo(result.densePerplexity!, 6);
  expect(renderEvaluation(result).join("\n")).toContain("over the tokens that stay");
});

test("ids in settings follow their tokens", async () => {
  const folder = temporaryFolder();
  const model = demoCopy(folder, (config) => ({ ...config, eos_token_id: [0, 300], pad_token_id: -1 }));
  const settings = { eos_token_id: [0, 300], suppress_tokens: [0, 2000], bad_words_ids: [[0], [0, 2000]] };
  writeFileSync(join(model, "generation_config.json"), JSON.stringify(settings));
  const { output } = await run({ model, vocabularySize: 600 });
  const read = (file: string) => JSON.parse(readFileSync(join(output, file), "utf8"));
  const { vocab } = read("tokenizer.json").model as { vocab: Record<string, number> };
  const { vocab: before } = JSON.parse(readFileSync(join(model, "tokenizer.json"), "utf8")).model;
  const named = Object.keys(before).find((piece) => before[piece] === 300)!;
  expect(read("config.json")).toMatchObject({ eos_token_id: [0, vocab[named]], pad_token_id: -1, vocab_size: 600 });
  expect(read("generation_config.json")).toEqual({
    eos_token_id: [0, vocab[named]],
    suppress_tokens: [0],
    bad_words_ids: [[0]],
  });
});
