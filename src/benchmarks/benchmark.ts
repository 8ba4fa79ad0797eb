// What a benchmark is: rows of its data become questions, and likelihoods of texts answer them. Prompts are those of
// lm-evaluation-harness 0.4.13, without examples (zero-shot).
import { CompError } from "../errors.ts";
import type { Row } from "../texts/rows.ts";

/** A text whose likelihood is asked for, and what stands before it. */
export interface LikelihoodRequest {
  readonly context: string;
  readonly continuation: string;
}

export interface Question {
  /** One for each choice. */
  readonly requests: readonly LikelihoodRequest[];
  /** What the choices are, without what is around them: their lengths normalise. */
  readonly choices: readonly string[];
  /** Index of the right choice. */
  readonly answer: number;
}

/** Which files hold a split, by words of their paths in lower case with "-" for all but letters and digits. */
export interface DataFiles {
  /** Each somewhere in the path. */
  readonly path: readonly RegExp[];
  /** None of them in the path: other data of the same name. */
  readonly without?: RegExp;
  readonly split: "test" | "validation";
  /** For messages: where the files usually lie. */
  readonly example: string;
}

export interface Benchmark {
  readonly files: DataFiles;
  /**
   * What counts: the most likely choice; the same, and per character of the choice too; or that each token of the only
   * continuation is the likeliest, with the perplexity of the continuations.
   */
  readonly measure: "choice" | "choice-and-normalised" | "greedy";
  /** @throws {CompError} "calibration" naming the row that is not one of this benchmark */
  question(row: Row): Question;
}

/** A question whose choices continue one context, after a blank. */
export const choiceQuestion = (context: string, choices: readonly string[], answer: number): Question => ({
  requests: choices.map((choice) => ({ context, continuation: ` ${choice}` })),
  choices,
  answer,
});

/** A field that is a text. @throws {CompError} "calibration" */
export function textOf({ fields, place }: Row, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw badQuestion(place, `has no text in ${name}`);
}

/** The index that a label stands for: among the labels of the choices, as text. @throws {CompError} "calibration" */
export function answerAmong(labels: readonly unknown[], label: unknown, place: string): number {
  const index = labels.findIndex((known) => String(known) === String(label).trim());
  if (index >= 0) return index;
  throw badQuestion(
    place,
    `has no answer: its label is ${JSON.stringify(String(label))}, not one of ${labels.join(", ")}`,
  );
}

/** The error for a row that is no question. */
export const badQuestion = (place: string, what: string): CompError =>
  new CompError("calibration", `${place} ${what}`, {
    hint: "give the data as published, with its answers; docs/evaluation.md lists the fields of each task",
  });
