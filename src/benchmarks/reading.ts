// A passage and a question about it: BoolQ (Clark et al. 2019, arXiv:1905.10044).
import { answerAmong, type Benchmark, choiceQuestion, textOf } from "./benchmark.ts";

export const boolQ: Benchmark = {
  files: { path: [/boolq/], split: "validation", example: "boolq/val.jsonl" },
  measure: "choice",
  question: (row) => {
    const { label = row.fields.answer } = row.fields;
    const isTrue = String(label) === "true" || String(label) === "false" ? Number(String(label) === "true") : label;
    const answer = answerAmong([0, 1], isTrue, row.place);
    const context = `${textOf(row, "passage")}\nQuestion: ${textOf(row, "question")}?\nAnswer:`;
    return choiceQuestion(context, ["no", "yes"], answer);
  },
};
