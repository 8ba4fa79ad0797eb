// The benchmarks by the names that lm-evaluation-harness has for them. Another one is a row here and a function from its rows to
// questions.
import { CompError } from "../errors.ts";
import type { Benchmark } from "./benchmark.ts";
import { hellaSwag, lambadaOpenAi, piqa, winoGrande } from "./completion.ts";
import { boolQ } from "./reading.ts";
import { arcChallenge, arcEasy, openBookQa } from "./science.ts";

const BENCHMARKS = {
  boolq: boolQ,
  piqa,
  hellaswag: hellaSwag,
  winogrande: winoGrande,
  arc_easy: arcEasy,
  arc_challenge: arcChallenge,
  openbookqa: openBookQa,
  lambada_openai: lambadaOpenAi,
} satisfies Record<string, Benchmark>;

export type BenchmarkName = keyof typeof BENCHMARKS;

export const benchmarkOf = (name: BenchmarkName): Benchmark => BENCHMARKS[name];

/**
 * The tasks that are asked for.
 *
 * @param data the folder with their data
 * @throws {CompError} "option" for tasks without data, and data without tasks, and as `parseBenchmarks`
 */
export function parseTasks(list: string | undefined, data: string | undefined): BenchmarkName[] {
  const names = list === undefined ? [] : parseBenchmarks(list);
  if (names.length === 0 && data !== undefined)
    throw new CompError("option", "there is data, but no --tasks to judge on it", { hint: "for example --tasks all" });
  if (names.length > 0 && data === undefined)
    throw new CompError("option", "the tasks need a folder with their data, --task-data", {
      hint: "docs/evaluation.md says which files each task reads",
    });
  return names;
}

/**
 * "boolq,piqa" → names, each once; "all" is every one.
 *
 * @throws {CompError} "option" naming what there is
 */
export function parseBenchmarks(list: string): BenchmarkName[] {
  const known = Object.keys(BENCHMARKS) as BenchmarkName[];
  if (list === "all") return known;
  const names = list.split(",").map((name) => name.trim());
  const hint = `the tasks are ${known.join(", ")}; all takes every one`;
  const unknown = names.find((name) => !known.includes(name as BenchmarkName));
  if (unknown === "")
    throw new CompError("option", `tasks must be names with commas between them, got "${list}"`, { hint });
  if (unknown !== undefined) throw new CompError("option", `there is no task ${unknown}`, { hint });
  return [...new Set(names)] as BenchmarkName[];
}
