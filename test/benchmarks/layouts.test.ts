// Each benchmark asks the same, whichever layout its files have.
import { describe, expect, test } from "vitest";
import type { BenchmarkName } from "../../src/benchmarks/index.ts";
import { fixturePath } from "../helpers/fixtures.ts";
import { HUB_DATA, PUBLISHED_DATA, QUESTIONS, questionsOf, writeData } from "../helpers/questions.ts";
import { sharedFolder } from "../helpers/temporary.ts";

const NAMES = Object.keys(QUESTIONS) as BenchmarkName[];
const published = writeData(sharedFolder(), PUBLISHED_DATA);
const hub = writeData(sharedFolder(), HUB_DATA);

describe.each(NAMES)("%s", (name) => {
  test("asks what its authors' files ask", async () =>
    expect(await questionsOf(name, published)).toEqual(QUESTIONS[name]));
  test("asks the same from the hub's files", async () => expect(await questionsOf(name, hub)).toEqual(QUESTIONS[name]));
});

test("tables of the hub, Parquet with lists in it, in parts", async () => {
  const questions = await questionsOf("arc_easy", fixturePath("questions"));
  expect(questions).toEqual([...QUESTIONS.arc_easy, { ...QUESTIONS.arc_easy[0], answer: 1 }]);
});
