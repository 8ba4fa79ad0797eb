// A sketch of a text's passages: it tells as much of another text's share as comparing both would, within its chance.
import { expect, test } from "vitest";
import { sharedPassages } from "../../src/texts/overlap.ts";
import { sharedWithSketch, sketchPassages, sketchWarning } from "../../src/texts/passage-sketch.ts";

const words = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `w${from + i}`).join(" ");

test("of a short text it holds everything, and counts as the texts themselves do", () => {
  const judged = words(0, 100);
  const calibration = `${words(1000, 200)} ${words(20, 40)} ${words(2000, 200)}`;
  expect(sharedWithSketch(judged, sketchPassages([calibration]))).toBeCloseTo(sharedPassages(judged, calibration), 12);
  expect(sharedWithSketch(judged, sketchPassages([words(5000, 100), judged]))).toBe(1);
  expect(sharedWithSketch(judged, sketchPassages([words(100, 300)]))).toBe(0);
});

test("of a long text it is bounded, and estimates the share", () => {
  const sketch = sketchPassages([words(0, 60_000)]);
  expect(sketch.length).toBeLessThan(4096);
  const half = `${words(10_000, 10_000)} ${words(100_000, 10_000)}`;
  // some 230 of the judged passages are in the sample: three standard errors are a tenth
  expect(Math.abs(sharedWithSketch(half, sketch) - 0.5)).toBeLessThan(0.1);
  expect(sharedWithSketch(words(100_000, 20_000), sketch)).toBe(0);
});

test("the order of texts and what they repeat change nothing", () => {
  const [a, b] = [words(0, 3000), words(5000, 3000)];
  expect(sketchPassages([a, b, a])).toBe(sketchPassages([b, a]));
});

test("one passage in common is no warning, many are", () => {
  const texts = { sketch: sketchPassages([words(0, 400)]), names: ["mix.txt", "notes.txt"] };
  expect(sketchWarning({ name: "wiki.txt", text: `${words(0, 13)} ${words(900, 20)}` }, texts)).toBeUndefined();
  expect(sketchWarning({ name: "wiki.txt", text: words(300, 212) }, texts)).toBe(
    "about 44 % of the passages judged in wiki.txt occur in the text that the model was calibrated on (mix.txt, notes.txt): figures on it flatter the model",
  );
});

test.each(["", "no base64!", "AAA", "AAAA"])("%j is a sketch of nothing", (sketch) => {
  expect(sharedWithSketch(words(0, 100), sketch)).toBe(0);
});
