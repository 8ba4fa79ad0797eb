// comp eval on a cut of the demo model: benchmarks and probes, what is printed, and how it fails.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Evaluation } from "../../src/events/model.ts";
import { ROOT } from "../helpers/built.ts";
import { runCommand } from "../helpers/command-line.ts";
import { eventsOf, prose } from "../helpers/prune-demo.ts";
import { PUBLISHED_DATA, QUESTIONS, writeData } from "../helpers/questions.ts";
import { shortDemo } from "../helpers/small-models.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";

const run = (...argv: string[]) => runCommand("eval", ...argv);

const model = shortDemo(sharedFolder(), 1);
const data = writeData(sharedFolder(), PUBLISHED_DATA);
const evaluation = async (...argv: string[]) => JSON.parse((await run(...argv, "--json")).out.at(-1)!) as Evaluation;

test("all benchmarks at once; each question is written with what was said of its choices", async () => {
  const items = join(temporaryFolder(), "items.jsonl");
  const { tasks } = await evaluation(model, "--tasks", "all", "--task-data", data, "--items", items);
  expect(Object.keys(tasks!)).toEqual(Object.keys(QUESTIONS));
  const lines = readFileSync(items, "utf8").trimEnd().split("\n");
  const written = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(written).toEqual(
    Object.entries(QUESTIONS).flatMap(([task, questions]) =>
      questions.map(({ requests, answer }, index) =>
        expect.objectContaining({ task, index, answer, logLikelihoods: requests.map(() => expect.any(Number)) }),
      ),
    ),
  );
  for (const [task, { acc, n }] of Object.entries(tasks!)) {
    const own = written.filter((item) => item.task === task);
    expect(n).toBe(own.length);
    expect(acc).toBe(own.filter(({ correct }) => correct).length / n);
  }
});

test("a limit takes questions from the start", async () => {
  const { tasks } = await evaluation(model, "--tasks", "piqa,boolq", "--task-data", data, "--limit", "1");
  expect(Object.entries(tasks!).map(([name, { n }]) => [name, n])).toEqual([
    ["piqa", 1],
    ["boolq", 1],
  ]);
});

test("a table for people", async () => {
  const { code, out } = await run(model, "--tasks", "piqa,winogrande,lambada_openai", "--task-data", data);
  expect(code).toBe(0);
  const lines = [
    /^task +accuracy % +normalised % +perplexity +questions$/,
    /^piqa +[\d.]+ ± [\d.]+ +[\d.]+ ± [\d.]+ +2$/,
    /^winogrande +[\d.]+ ± 0\.00 +1$/,
    /^lambada_openai +[\d.]+ ± 0\.00 +\d\S* +1$/,
    /^took +[\d.]+ s/,
  ];
  expect(out).toHaveLength(lines.length);
  for (const [i, line] of out.entries()) expect(line).toMatch(lines[i]!);
});

test("probes: six shares, the same again for one seed and not for another", async () => {
  const [first, again, other] = [
    await evaluation(model, "--probes", "--seed", "1"),
    await evaluation(model, "--probes", "--seed", "1"),
    await evaluation(model, "--probes", "--seed", "2"),
  ];
  expect(Object.keys(first.probes!)).toEqual(["arithmetic", "copying", "code", "secondLanguage", "json", "freshText"]);
  for (const share of Object.values(first.probes!)) expect(share >= 0 && share <= 1).toBe(true);
  expect(again.probes).toEqual(first.probes);
  expect(other.probes).not.toEqual(first.probes);
});

test.each(["smaller", "smaller.gguf"])("a text that the model of %s was calibrated on is warned of", async (name) => {
  const output = join(temporaryFolder(), name);
  const [seen, unseen] = [join(temporaryFolder(), "seen.txt"), join(temporaryFolder(), "unseen.txt")];
  writeFileSync(seen, prose.text);
  writeFileSync(unseen, readFileSync(join(ROOT, "data/calibration-mix.txt"), "utf8").slice(60_000, 80_000));
  await eventsOf({ model, preset: "magnitude", samples: 4, sparsity: 0.2, output });
  const judged = async (text: string) => (await run(output, "--text", text, "--windows", "4", "--context", "128")).err;
  expect(await judged(seen)).toContain(
    "comp: warning: about 100 % of the passages judged in seen.txt occur in the text that the model was calibrated on (prose.txt)",
  );
  expect(await judged(unseen)).not.toContain("calibrated");
});

test.each<[string[], number, string]>([
  [[], 2, "there is nothing to judge the model on"],
  [["--tasks", "piqa"], 2, "the tasks need a folder with their data"],
  [["--task-data", data], 2, "there is data, but no --tasks"],
  [["--tasks", "mmlu", "--task-data", data], 2, "there is no task mmlu"],
  [["--tasks", "piqa", "--task-data", join(data, "arc")], 1, "has no validation data of piqa"],
  [["--tasks", "piqa", "--task-data", join(data, "nowhere")], 1, "nowhere"],
])("%s is refused with code %i", async (argv, code, message) => {
  expect(await run(model, ...argv)).toMatchObject({ code, err: expect.stringContaining(message) });
});
