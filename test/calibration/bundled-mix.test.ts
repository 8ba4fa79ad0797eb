import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { sampleWindows } from "../../src/calibration/windows.ts";
import { openPath } from "../../src/node/open-path.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { DEMO_MODEL } from "../helpers/built.ts";

const bytes = readFileSync(new URL("../../data/calibration-mix.txt", import.meta.url));
const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);

test("the bundled mix is about 300 kB of text in several scripts", () => {
  expect(bytes.length).toBeGreaterThan(250_000);
  expect(bytes.length).toBeLessThan(350_000);
  for (const script of [
    /\p{Script=Latin}{4}/u,
    /\p{Script=Cyrillic}{4}/u,
    /\p{Script=Han}{4}/u,
    /\p{Script=Hiragana}{4}/u,
  ]) {
    expect(text).toMatch(script);
  }
  expect(text).not.toMatch(/Project Gutenberg/i);
});

test("it is plain text: no byte order mark, LF only, no line that a reader would choke on", () => {
  expect([...bytes.subarray(0, 3)]).not.toEqual([0xef, 0xbb, 0xbf]);
  expect(text).not.toMatch(/[\r\uFFFD]/);
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(20_000);
});

test("it suffices for the default number of windows", async () => {
  const checkpoint = await openPath(DEMO_MODEL);
  const ids = (await openTokenizer(checkpoint)).encode(text);
  await checkpoint.close();
  expect(sampleWindows([ids], { count: 136, length: 256, seed: 0 }).count).toBe(136);
});
