// comp vocabulary: how much texts take with how many tokens.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCommandLine } from "../../src/cli/run.ts";
import type { VocabularyCurve } from "../../src/events/vocabulary.ts";
import { vocabulary } from "../../src/node/measure.ts";
import { openPath } from "../../src/node/open-path.ts";
import { cutToTexts } from "../../src/tasks/cut-vocabulary.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { captureScreen } from "../helpers/captured-screen.ts";
import { compError } from "../helpers/errors.ts";

const FILE = join(import.meta.dirname, "../../data/calibration-mix.txt");
const text = { name: "mix", text: readFileSync(FILE, "utf8").slice(0, 60_000) };

async function trace(): Promise<VocabularyCurve> {
  for await (const { curve } of vocabulary({ model: DEMO_MODEL, texts: [text] })) return curve;
  throw new Error("there was no curve");
}

test("the fewer tokens, the more a text takes; with all that it uses it takes no more", async () => {
  const { needed, used, auto, points, whole } = await trace();
  const counts = points.map(({ texts }) => texts[0]!.tokens.after);
  expect(points[0]!.tokens).toBe(needed);
  expect(counts).toEqual([...counts].sort((a, b) => b - a));
  expect(points.map(({ bytes }) => bytes)).toEqual(points.map(({ bytes }) => bytes).sort((a, b) => a - b));
  expect(points.find(({ tokens }) => tokens === used)!.texts[0]!.tokens.after).toBe(whole.texts[0]!.tokens.before);
  const { before, after } = points.find(({ tokens }) => tokens === auto)!.heldOut!.tokens;
  expect(after / before).toBeLessThanOrEqual(1.01);
  expect(whole.heldOut!.tokens.after).toBe(before);
});

test("what is told of a size is what a text then takes, or a few tokens more", async () => {
  const { needed, points } = await trace();
  const source = await openPath(DEMO_MODEL);
  try {
    for (const { tokens, texts } of points.filter((point) => point.tokens > needed).slice(0, 4)) {
      const cut = await cutToTexts(source, { vocabulary: [text], vocabularySize: tokens, sparsity: 0 });
      const taken = (await openTokenizer(cut.checkpoint)).encode(text.text).length;
      expect(cut.checkpoint.tensors.get("model.embed_tokens.weight")!.shape[0]).toBe(tokens);
      expect(texts[0]!.tokens.after).toBeGreaterThanOrEqual(taken);
      expect(texts[0]!.tokens.after / taken).toBeLessThan(1.03);
    }
  } finally {
    await source.close();
  }
});

test("the command prints a row for each size", async () => {
  const { screen, out } = captureScreen();
  const surroundings = { version: "0", loadLibrary: () => import("../../src/index.ts"), screen, debug: false };
  const argv = ["vocabulary", DEMO_MODEL, "--text", FILE];
  expect(await runCommandLine(argv, { ...surroundings, signal: new AbortController().signal })).toBe(0);
  expect(out()).toMatch(/\| +tokens \| +parameters \| +weights \| calibration-mix\.txt \| held-out parts \|/);
  expect(out()).toMatch(/ 0\.0 % \| +[\d.]+ % \|/);
});

test("without a text it says which flag is missing", async () => {
  const { screen, err } = captureScreen();
  const surroundings = { version: "0", loadLibrary: () => import("../../src/index.ts"), screen, debug: false };
  expect(
    await runCommandLine(["vocabulary", DEMO_MODEL], { ...surroundings, signal: new AbortController().signal }),
  ).toBe(2);
  expect(err()).toContain("--text is missing");
});

test("a signal that comes in the midst of it stops it", async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort());
  const request = { model: DEMO_MODEL, texts: [text], signal: controller.signal };
  const events = vocabulary(request);
  expect((await compError(events.next())).kind).toBe("aborted");
});
