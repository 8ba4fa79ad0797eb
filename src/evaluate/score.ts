// Answers to the questions of a benchmark → accuracy, with standard errors, as lm-evaluation-harness 0.4.13 counts it.
import type { Benchmark, Question } from "../benchmarks/benchmark.ts";
import type { TaskFigures, TaskItem } from "../events/model.ts";
import type { Likelihood } from "./likelihoods.ts";

/** What a question came to. Of equal likelihoods the first counts. */
export function scoreItem(
  measure: Benchmark["measure"],
  { choices, answer }: Question,
  said: readonly Likelihood[],
): TaskItem {
  const logLikelihoods = said.map(({ logLikelihood }) => logLikelihood);
  if (measure === "greedy") return { logLikelihoods, answer, correct: said[0]!.isGreedy };
  const correct = indexOfLargest(logLikelihoods) === answer;
  if (measure === "choice") return { logLikelihoods, answer, correct };
  const normalised = logLikelihoods.map((value, i) => value / [...choices[i]!].length); // characters
  return { logLikelihoods, answer, correct, correctNormalised: indexOfLargest(normalised) === answer };
}

export function figuresOf(measure: Benchmark["measure"], items: readonly TaskItem[]): TaskFigures {
  const right = items.map(({ correct }) => Number(correct));
  const figures = { acc: mean(right), accStderr: standardError(right), n: items.length };
  if (measure === "choice") return figures;
  if (measure === "greedy") {
    const values = items.map(({ logLikelihoods }) => logLikelihoods[0]!);
    const perplexity = Math.exp(-mean(values));
    return { ...figures, perplexity, perplexityStderr: perplexity * standardError(values) }; // to first order
  }
  const normalised = items.map(({ correctNormalised }) => Number(correctNormalised));
  return { ...figures, accNorm: mean(normalised), accNormStderr: standardError(normalised) };
}

const indexOfLargest = (values: readonly number[]): number => values.indexOf(Math.max(...values));

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of the mean, from the sample's own spread; 0 for a single value, which has none. */
function standardError(values: readonly number[]): number {
  const [n, middle] = [values.length, mean(values)];
  if (n < 2) return 0;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (n - 1) / n);
}
