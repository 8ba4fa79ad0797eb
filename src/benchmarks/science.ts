// Questions with labelled choices: ARC (Clark et al. 2018, arXiv:1803.05457) and OpenBookQA (Mihaylov et al. 2018, arXiv:1809.02789).
import type { Row } from "../texts/rows.ts";
import { answerAmong, type Benchmark, badQuestion, choiceQuestion, textOf } from "./benchmark.ts";

export const arcEasy: Benchmark = arc(/easy|arc-e(-|$)/, "arc/ARC-Easy-Test.jsonl");
export const arcChallenge: Benchmark = arc(/challenge|arc-c(-|$)/, "arc/ARC-Challenge-Test.jsonl");

function arc(subset: RegExp, example: string): Benchmark {
  return {
    files: { path: [/(^|-)arc-/, subset], split: "test", example },
    measure: "choice-and-normalised",
    question: (row) => {
      const { stem, texts, answer } = labelledChoices(row, "question");
      return choiceQuestion(`Question: ${stem}\nAnswer:`, texts, answer);
    },
  };
}

export const openBookQa: Benchmark = {
  files: { path: [/openbookqa/], without: /additional/, split: "test", example: "openbookqa/test.tsv" },
  measure: "choice-and-normalised",
  question: (row) => {
    const { stem, texts, answer } = "Choices" in row.fields ? tabulated(row) : labelledChoices(row, "question_stem");
    return choiceQuestion(stem, texts, answer);
  },
};

interface LabelledChoices {
  readonly stem: string;
  readonly texts: readonly string[];
  readonly answer: number;
}

/** The authors' rows have the stem and a list of choices in `question`; the hub's have `choices` with a list of texts and one of labels. */
function labelledChoices(row: Row, stemField: string): LabelledChoices {
  const { fields, place } = row;
  const nested = fields.question;
  const { text, label } = choiceLists(isFields(nested) ? nested.choices : fields.choices);
  if (text.length === 0 || !text.every((choice) => typeof choice === "string"))
    throw badQuestion(place, "has no choices with texts and labels");
  const stem = isFields(nested) ? textOf({ fields: nested, place }, "stem") : textOf(row, stemField);
  return { stem, texts: text as string[], answer: answerAmong(label, fields.answerKey, place) };
}

function choiceLists(choices: unknown): Record<"text" | "label", readonly unknown[]> {
  const list = (name: "text" | "label"): readonly unknown[] => {
    if (Array.isArray(choices)) return choices.map((choice) => (isFields(choice) ? choice[name] : undefined));
    const values = isFields(choices) ? choices[name] : undefined;
    return Array.isArray(values) ? values : [];
  };
  return { text: list("text"), label: list("label") };
}

/** OpenBookQA's tables have all choices in one column: "(A) a stone (B) a leaf". */
function tabulated(row: Row): LabelledChoices {
  const choices = textOf(row, "Choices");
  const labels = [...choices.matchAll(/\(([A-D])\)/g)].map(([, label]) => label);
  const [, ...texts] = choices.split(/\([A-D]\)/).map((choice) => choice.trim());
  const answer = answerAmong(labels, row.fields["Answer Key"], row.place);
  return { stem: textOf(row, "Question Stem"), texts, answer };
}

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
