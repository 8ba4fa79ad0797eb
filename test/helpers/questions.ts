// Data of the benchmarks, in words of our own: a question or two of each, as its authors publish it and as the hub has it.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Question } from "../../src/benchmarks/benchmark.ts";
import { findRows, listDataFiles } from "../../src/benchmarks/find-rows.ts";
import { type BenchmarkName, benchmarkOf } from "../../src/benchmarks/index.ts";
import { folderSource } from "../../src/node/open-path.ts";

/** Paths below a folder, and the text or the rows in them. */
export type DataFolder = Readonly<Record<string, string | readonly object[]>>;

export function writeData(folder: string, files: DataFolder): string {
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === "string" ? content : content.map((row) => JSON.stringify(row)).join("\n"));
  }
  return folder;
}

/** All questions of a benchmark below a folder. */
export async function questionsOf(name: BenchmarkName, path: string): Promise<Question[]> {
  const folder = folderSource(path);
  const { files, question } = benchmarkOf(name);
  return (await findRows(name, files, folder, await listDataFiles(folder))).map(question);
}

const boolq = { question: "is snow warm", passage: "Snow -- Snow is frozen water." };
const piqa = [
  { goal: "Dry a wet shirt", sol1: "Hang it in the wind.", sol2: "Lay it in the bath." },
  { goal: "Open a jar", sol1: "Sing to it.", sol2: "Turn its lid." },
];
const hellaswag = {
  activity_label: "Baking bread",
  ctx_a: "[header] How to bake [title] Mix flour and water.",
  ctx_b: "the Baker",
  endings: ["eats  the oven.", "kneads the dough. [step] Then it rests.", "swims.", "sleeps."],
};
const winogrande = {
  sentence: "The cup did not fit in the box since the _ was too large.",
  option1: "box",
  option2: "cup",
  answer: "2",
};
const WARM = [
  ["A", "the sun"],
  ["B", "the moon"],
  ["C", "the sea"],
];
const stem = "What warms a stone at noon?";
const arc = {
  authors: {
    question: { stem, choices: WARM.map(([label, text]) => ({ text, label })) },
    answerKey: "A",
  },
  // a few rows of the data have numbers for labels
  hub: { question: stem, choices: { text: WARM.map(([, text]) => text), label: ["1", "2", "3"] }, answerKey: "1" },
};
const openbookqa = { question_stem: "Frogs live", choices: { text: ["in ponds", "in ovens"], label: ["A", "B"] } };
const lambada = [{ text: "The bird sang. Then away flew the bird" }];

/** As their authors publish them. */
export const PUBLISHED_DATA: DataFolder = {
  "boolq/val.jsonl": [{ ...boolq, label: false }],
  "piqa/dev.jsonl": piqa,
  "piqa/dev-labels.lst": "0\n1\n",
  "hellaswag/hellaswag_val.jsonl": [{ ...hellaswag, split: "val", label: 1 }],
  "winogrande/dev.jsonl": [winogrande],
  "arc/ARC-Easy-Test.jsonl": [arc.authors],
  "arc/ARC-Challenge-Test.jsonl": [{ ...arc.authors, answerKey: "C" }],
  "openbookqa/test.tsv": "ID\tQuestion Stem\tChoices\tAnswer Key\n1-2\tFrogs live\t(A) in ponds (B) in ovens\tA\n",
  "lambada/lambada_test.jsonl": lambada,
};

/** As the hub has them, in JSON Lines. */
export const HUB_DATA: DataFolder = {
  "google--boolq/data/validation-00000-of-00001.jsonl": [{ ...boolq, answer: false }],
  "piqa/plain_text/validation.jsonl": piqa.map((row, label) => ({ ...row, label })),
  "Rowan--hellaswag/data/validation.jsonl": [{ ...hellaswag, label: "1" }],
  "winogrande/winogrande_xl/validation.jsonl": [winogrande],
  "allenai--ai2_arc/ARC-Easy/test.jsonl": [arc.hub],
  "allenai--ai2_arc/ARC-Challenge/test.jsonl": [{ ...arc.hub, answerKey: "3" }],
  "openbookqa/main/test.jsonl": [{ ...openbookqa, answerKey: "A" }],
  "lambada_openai/data/lambada_test_en.jsonl": lambada,
};

const asked = (context: string, choices: readonly string[], answer: number): Question => ({
  requests: choices.map((choice) => ({ context, continuation: ` ${choice}` })),
  choices,
  answer,
});
const warms = WARM.map(([, text]) => text!);

/** What both of them ask. */
export const QUESTIONS: Readonly<Record<BenchmarkName, readonly Question[]>> = {
  boolq: [asked("Snow -- Snow is frozen water.\nQuestion: is snow warm?\nAnswer:", ["no", "yes"], 0)],
  piqa: [
    asked("Question: Dry a wet shirt\nAnswer:", ["Hang it in the wind.", "Lay it in the bath."], 0),
    asked("Question: Open a jar\nAnswer:", ["Sing to it.", "Turn its lid."], 1),
  ],
  hellaswag: [
    asked(
      "Baking bread: How to bake. Mix flour and water. The baker",
      ["eats the oven.", "kneads the dough. Then it rests.", "swims.", "sleeps."],
      1,
    ),
  ],
  winogrande: [
    {
      requests: ["box", "cup"].map((choice) => ({
        context: `The cup did not fit in the box since the ${choice}`,
        continuation: " was too large.",
      })),
      choices: ["box", "cup"].map((choice) => `The cup did not fit in the box since the ${choice}`),
      answer: 1,
    },
  ],
  arc_easy: [asked(`Question: ${stem}\nAnswer:`, warms, 0)],
  arc_challenge: [asked(`Question: ${stem}\nAnswer:`, warms, 2)],
  openbookqa: [asked("Frogs live", ["in ponds", "in ovens"], 0)],
  lambada_openai: [{ ...asked("The bird sang. Then away flew the", ["bird"], 0), choices: [" bird"] }],
};
