// Passages that a judged text shares with a calibration text.
import { expect, test } from "vitest";
import { overlapWarning, sharedPassages } from "../../src/texts/overlap.ts";

const words = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `w${from + i}`).join(" ");

test("the share counts the judged passages that the calibration text has, not the reverse", () => {
  // 100 words have 88 passages; 40 shared ones in a row have 28
  const judged = words(0, 100);
  const calibration = `${words(1000, 500)} ${words(20, 40)} ${words(2000, 500)}`;
  expect(sharedPassages(judged, calibration)).toBeCloseTo(28 / 88, 12);
  expect(sharedPassages(judged, judged)).toBe(1);
  expect(sharedPassages(judged, words(100, 100))).toBe(0);
});

test("a passage that the judged text repeats counts each time, one that calibration repeats once", () => {
  const judged = `${words(0, 13)} x ${words(0, 13)}`;
  const passages = 27 - 12;
  expect(sharedPassages(judged, `${words(0, 13)} y ${words(0, 13)}`)).toBeCloseTo(2 / passages, 12);
});

test("twelve words in a row are no passage, thirteen across an unknown word neither", () => {
  expect(sharedPassages(words(0, 40), words(0, 12))).toBe(0);
  expect(sharedPassages(words(0, 40), `${words(0, 6)} other ${words(6, 7)}`)).toBe(0);
  expect(sharedPassages(words(0, 12), words(0, 12))).toBe(0);
});

test("case, punctuation and line breaks make no difference", () => {
  const plain = "the quick brown fox jumps over the lazy dog and then it sleeps";
  expect(sharedPassages(plain, "The quick, brown fox\njumps over the lazy dog -- and then it SLEEPS!")).toBe(1);
});

test("scripts without spaces count by the character", () => {
  const text = "春眠不觉晓处处闻啼鸟夜来风雨声花落知多少";
  expect(sharedPassages(text, `他说${text}abc`)).toBe(1);
});

test("the warning names both texts and the share, and one per cent is not worth it", () => {
  const judged = { name: "wiki.txt", text: words(0, 1012) };
  expect(overlapWarning(judged, { name: "mix.txt", text: words(0, 22) })).toBeUndefined();
  expect(overlapWarning(judged, { name: "mix.txt", text: words(0, 23) })).toBe(
    "1.1 % of the passages judged in wiki.txt occur in the calibration text mix.txt too: figures on it flatter the pruned models",
  );
});
