// The claim in its own unit: a model pruned by several presets, all at one sparsity of its decoder layers and with the same text, on
// zero-shot tasks. Prints each model's accuracies and their means, and tests the first preset against each of the others pair by
// pair. What is in the folder already is not made again, so that a run can be broken off.
//   npm run build && node bench/claim.mjs MODEL DATA FOLDER --calibration FILE [--presets best,llm-pruner,…] [--sparsity N] [--limit N]
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  options: {
    calibration: { type: "string" },
    presets: { type: "string", default: "best,llm-pruner,osscar,flap,wanda-sp,comp-paper" },
    sparsity: { type: "string", default: "0.2" },
    limit: { type: "string", default: "0" },
    samples: { type: "string", default: "64" },
    seed: { type: "string", default: "0" },
  },
  allowPositionals: true,
});
const [model, data, folder] = positionals;
const presets = values.presets.split(",");

/** The seven tasks of the mean, and what is reported beside it. */
const SEVEN = ["boolq", "piqa", "hellaswag", "winogrande", "arc_easy", "arc_challenge", "openbookqa"];
const TASKS = [...SEVEN, "lambada_openai"];
/** Where accuracy is by log-likelihood per character, as LLM-Pruner and FLAP report. */
const NORMALISED = new Set(["hellaswag", "arc_challenge", "openbookqa"]);

function comp(...argv) {
  const run = spawnSync(process.execPath, ["dist/cli/main.js", ...argv], { encoding: "utf8", maxBuffer: 2 ** 28 });
  if (run.status !== 0) throw new Error(run.stderr.trim());
  return run.stdout;
}

function prunedBy(preset) {
  const output = join(folder, preset);
  const { calibration, sparsity, samples, seed } = values;
  const how = ["--preset", preset, "--sparsity", sparsity, "--sparsity-of", "decoder", "--samples", samples];
  if (!existsSync(output)) comp("prune", model, ...how, "--seed", seed, "--calibration", calibration, "-o", output);
  return output;
}

/** 1 or 0 for each question of each task. */
function answersOf(name, path) {
  const file = join(folder, `${name}-${values.limit}.jsonl`);
  if (!existsSync(file)) {
    const what = ["--tasks", TASKS.join(","), "--task-data", data, "--limit", values.limit];
    comp("eval", path, ...what, "--items", `${file}.part`, "--json");
    renameSync(`${file}.part`, file);
  }
  const answers = Object.fromEntries(TASKS.map((task) => [task, []]));
  for (const line of readFileSync(file, "utf8").trim().split("\n")) {
    const { task, correct, correctNormalised } = JSON.parse(line);
    answers[task].push(Number(NORMALISED.has(task) ? correctNormalised : correct));
  }
  return answers;
}

const mean = (numbers) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const variance = (numbers) => {
  const middle = mean(numbers);
  return numbers.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (numbers.length - 1);
};

/** Of numbers for each question of each of the seven tasks, every task counting alike: the mean and its standard error, in points. */
function overTasks(numbers) {
  const means = SEVEN.map((task) => mean(numbers(task)));
  const error = Math.sqrt(SEVEN.reduce((sum, task) => sum + variance(numbers(task)) / numbers(task).length, 0));
  return { mean: 100 * mean(means), error: (100 * error) / SEVEN.length };
}

/** McNemar's test over all questions of the seven tasks: those that only one of the two answers, and the two-sided p by the normal approximation. */
function mcnemar(ours, theirs) {
  const pairs = SEVEN.flatMap((task) => ours[task].map((answer, i) => answer - theirs[task][i]));
  const [won, lost] = [pairs.filter((d) => d > 0).length, pairs.filter((d) => d < 0).length];
  const z = Math.max(0, Math.abs(won - lost) - 1) / Math.sqrt(Math.max(1, won + lost));
  return { won, lost, p: 2 * upperTail(z) };
}

/** P(Z > z) of the standard normal for z ≥ 0, by Simpson's rule over ten deviations. */
function upperTail(z) {
  const [steps, width] = [2000, 10 / 2000];
  const density = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(z) + density(z + 10);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * density(z + i * width);
  return (sum * width) / 3;
}

/** The commit by which the folder was begun. Throws where it was begun with other settings. */
function begin() {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "settings.json");
  const { calibration, sparsity, samples, seed } = values;
  const asked = { model, calibration, sparsity, samples, seed };
  const commit = spawnSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).stdout.trim();
  if (!existsSync(file)) writeFileSync(file, `${JSON.stringify({ commit, ...asked })}\n`);
  const { commit: begun, ...settings } = JSON.parse(readFileSync(file, "utf8"));
  if (JSON.stringify(settings) !== JSON.stringify(asked))
    throw new Error(`${folder} was begun with ${JSON.stringify(settings)}: name another folder`);
  return begun;
}

const commit = begin();
const answers = { dense: answersOf("dense", model) };
for (const preset of presets) answers[preset] = answersOf(preset, prunedBy(preset));

const questions = TASKS.map((task) => `${task} ${answers.dense[task].length}`).join(", ");
console.log(`Commit ${commit}, ${cpus().length} cores, seed ${values.seed}; questions: ${questions}.\n`);
const percent = (number) => number.toFixed(2);
console.log(
  `| model | ${SEVEN.join(" | ")} | mean of seven | lambada_openai |\n|---|${"---|".repeat(SEVEN.length + 2)}`,
);
for (const [name, own] of Object.entries(answers)) {
  const all = overTasks((task) => own[task]);
  const cells = SEVEN.map((task) => percent(100 * mean(own[task])));
  const lambada = percent(100 * mean(own.lambada_openai));
  console.log(`| ${name} | ${cells.join(" | ")} | ${percent(all.mean)} ± ${percent(all.error)} | ${lambada} |`);
}
console.log(
  `\n| ${presets[0]} against | points | ratio of the means | only ${presets[0]} right | only the other right | p |`,
);
console.log("|---|---|---|---|---|---|");
const ours = answers[presets[0]];
for (const [name, theirs] of Object.entries(answers).filter(([name]) => name !== presets[0])) {
  const difference = overTasks((task) => ours[task].map((answer, i) => answer - theirs[task][i]));
  const ratio = overTasks((task) => ours[task]).mean / overTasks((task) => theirs[task]).mean;
  const { won, lost, p } = mcnemar(ours, theirs);
  const points = `${difference.mean >= 0 ? "+" : ""}${percent(difference.mean)} ± ${percent(difference.error)}`;
  console.log(
    `| ${name} | ${points} | ${ratio.toFixed(4)} | ${won} | ${lost} | ${p < 0.001 ? "< 0.001" : p.toFixed(3)} |`,
  );
}
