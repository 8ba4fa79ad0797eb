import { describe, expect, test } from "vitest";
import { type BenchmarkName, benchmarkOf, parseBenchmarks } from "../../src/benchmarks/index.ts";
import { compError } from "../helpers/errors.ts";

const failure = (act: () => unknown) => compError(Promise.resolve().then(act));

const questionOf = (name: BenchmarkName, fields: object) =>
  benchmarkOf(name).question({ fields: { ...fields }, place: "rows.jsonl, line 3" });

describe("rows of the authors and of the hub are the same questions", () => {
  const texts = ["It melts.", "It burns."];
  test("ARC, whose labels may be numbers", () => {
    const choices = texts.map((text, i) => ({ text, label: String(i + 1) }));
    const own = questionOf("arc_easy", { question: { stem: "What does ice do?", choices }, answerKey: "2" });
    const hub = { question: "What does ice do?", choices: { text: texts, label: ["1", "2"] }, answerKey: "2" };
    expect(questionOf("arc_easy", hub)).toEqual(own);
    expect(own.requests[0]).toEqual({ context: "Question: What does ice do?\nAnswer:", continuation: " It melts." });
    expect(own.answer).toBe(1);
  });

  test("OpenBookQA", () => {
    const table = { "Question Stem": "Ice in the sun", Choices: "(A) melts (B) burns", "Answer Key": "B" };
    const hub = {
      question_stem: "Ice in the sun",
      choices: { text: ["melts", "burns"], label: ["A", "B"] },
      answerKey: "B",
    };
    expect(questionOf("openbookqa", table)).toEqual(questionOf("openbookqa", hub));
    expect(questionOf("openbookqa", hub).requests[1]).toEqual({ context: "Ice in the sun", continuation: " burns" });
  });

  test.each([
    [true, 1],
    ["false", 0],
    [1, 1],
  ])("BoolQ, label %s", (label, answer) => {
    const question = questionOf("boolq", { passage: "Ice is cold.", question: "is ice warm", label });
    expect(question.answer).toBe(answer);
    expect(question.requests.map(({ continuation }) => continuation)).toEqual([" no", " yes"]);
    expect(question.requests[0]!.context).toBe("Ice is cold.\nQuestion: is ice warm?\nAnswer:");
  });
});

test("HellaSwag loses the marks of the pages that it is from", () => {
  const row = {
    activity_label: "Skating",
    ctx_a: "A pond. [step] It is frozen.",
    ctx_b: "the Girl",
    endings: ["falls [title] Again", "[substeps] turns."],
    label: "1",
  };
  const { requests, choices, answer } = questionOf("hellaswag", row);
  expect(requests[0]!.context).toBe("Skating: A pond. It is frozen. The girl");
  expect(choices).toEqual(["falls. Again", " turns."]);
  expect(answer).toBe(1);
});

test("WinoGrande's choices stand before what is judged", () => {
  const row = {
    sentence: "The jug did not fit the box as _ was small.",
    option1: "the jug",
    option2: "the box",
    answer: "2",
  };
  expect(questionOf("winogrande", row)).toMatchObject({
    requests: [
      { context: "The jug did not fit the box as the jug", continuation: " was small." },
      { context: "The jug did not fit the box as the box", continuation: " was small." },
    ],
    answer: 1,
  });
});

test("LAMBADA asks for the last word, PIQA for one of two solutions", () => {
  const passage = { context: "The ice\n is", continuation: " thin" };
  expect(questionOf("lambada_openai", { text: "The ice\n is thin" }).requests).toEqual([passage]);
  expect(questionOf("piqa", { goal: "Cool it", sol1: "ice", sol2: "fire", label: 0n })).toMatchObject({
    requests: [{ context: "Question: Cool it\nAnswer:", continuation: " ice" }, { continuation: " fire" }],
    answer: 0,
  });
});

test("a row without an answer, or of something else, is named", async () => {
  const unanswered = await failure(() => questionOf("piqa", { goal: "a", sol1: "b", sol2: "c" }));
  expect(unanswered).toMatchObject({ kind: "calibration", message: expect.stringContaining("line 3 has no answer") });
  expect(await failure(() => questionOf("boolq", { text: "a", label: 1 }))).toMatchObject({ kind: "calibration" });
});

test("names are checked, and all is every one", async () => {
  expect(parseBenchmarks("piqa, boolq,piqa")).toEqual(["piqa", "boolq"]);
  expect(parseBenchmarks("all")).toHaveLength(8);
  expect(await failure(() => parseBenchmarks("piqa,mmlu"))).toMatchObject({
    kind: "option",
    message: "there is no task mmlu",
    hint: expect.stringContaining("lambada_openai"),
  });
});
