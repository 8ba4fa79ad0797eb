// What comes next: PIQA (Bisk et al. 2020, arXiv:1911.11641), HellaSwag (Zellers et al. 2019, arXiv:1905.07830), WinoGrande
// (Sakaguchi et al. 2019, arXiv:1907.10641) and LAMBADA (Paperno et al. 2016, arXiv:1606.06031) in OpenAI's form.
import { answerAmong, type Benchmark, badQuestion, choiceQuestion, textOf } from "./benchmark.ts";

export const piqa: Benchmark = {
  files: { path: [/piqa/], split: "validation", example: "piqa/dev.jsonl with piqa/dev-labels.lst" },
  measure: "choice-and-normalised",
  question: (row) => {
    const solutions = [textOf(row, "sol1"), textOf(row, "sol2")];
    const answer = answerAmong([0, 1], row.fields.label, row.place);
    return choiceQuestion(`Question: ${textOf(row, "goal")}\nAnswer:`, solutions, answer);
  },
};

export const hellaSwag: Benchmark = {
  files: { path: [/hellaswag/], split: "validation", example: "hellaswag/hellaswag_val.jsonl" },
  measure: "choice-and-normalised",
  question: (row) => {
    const { fields, place } = row;
    const endings = fields.endings;
    if (!Array.isArray(endings) || !endings.every((ending) => typeof ending === "string"))
      throw badQuestion(place, "has no list of endings");
    const [activity, begin, go] = ["activity_label", "ctx_a", "ctx_b"].map((name) => textOf(row, name));
    const answer = answerAmong([...endings.keys()], fields.label, place);
    return choiceQuestion(withoutMarks(`${activity}: ${begin} ${capitalized(go!)}`), endings.map(withoutMarks), answer);
  },
};

/** Marks such as [header] are left from the pages that the texts were taken from. */
const withoutMarks = (text: string): string =>
  text
    .trim()
    .replaceAll(" [title]", ". ")
    .replace(/\[.*?\]/g, "")
    .replaceAll("  ", " ");

/** The first letter large, all others small. */
function capitalized(text: string): string {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("").toLowerCase();
}

/** The choices stand before what is judged: the end of the sentence, after each of them. */
export const winoGrande: Benchmark = {
  files: { path: [/winogrande/], split: "validation", example: "winogrande/dev.jsonl" },
  measure: "choice",
  question: (row) => {
    const [begin, ...rest] = textOf(row, "sentence").split("_");
    if (rest.length === 0) throw badQuestion(row.place, 'has no gap "_" in its sentence');
    const continuation = ` ${rest.join("_").trim()}`;
    const choices = ["option1", "option2"].map((name) => `${begin}${textOf(row, name)}`);
    const answer = answerAmong([1, 2], row.fields.answer, row.place);
    return { requests: choices.map((context) => ({ context, continuation })), choices, answer };
  },
};

/** The last word of each passage. */
export const lambadaOpenAi: Benchmark = {
  files: {
    path: [/lambada/],
    without: /-(de|es|fr|it)(-|$)|plain-text|standard/,
    split: "test",
    example: "lambada/lambada_test.jsonl",
  },
  measure: "greedy",
  question: (row) => {
    const words = textOf(row, "text").split(" ");
    const continuation = ` ${words.pop()}`;
    return { requests: [{ context: words.join(" "), continuation }], choices: [continuation], answer: 0 };
  },
};
