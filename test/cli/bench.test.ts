// comp bench on two cuts of the demo model: what it prints, and how it fails.
import { expect, test } from "vitest";
import type { BenchResult } from "../../src/events/bench.ts";
import { runCommand } from "../helpers/command-line.ts";
import { shortDemo } from "../helpers/small-models.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const QUICK = ["--prompt-tokens", "16", "--tokens", "4", "--repetitions", "2", "--threads", "1"];

test("both models are measured in turn, each figure beside its ratio", { timeout: 60_000 }, async () => {
  const [larger, smaller] = [shortDemo(temporaryFolder(), 2), shortDemo(temporaryFolder(), 1)];
  const { code, out } = await runCommand("bench", larger, smaller, ...QUICK);
  expect(code).toBe(0);
  const lines = [
    /^A {15}.*, weights of [\d.]+ MB$/,
    /^B {15}.*, weights of [\d.]+ MB$/,
    /^ {16}A +B +B \/ A +of all repetitions$/,
    /^weights +[\d.]+ MB +[\d.]+ MB +0\.\d{3}$/,
    /^in comp$/,
    /^ {2}prefill +[\d.]+\/s +[\d.]+\/s +[\d.]+ +[\d.]+ to [\d.]+$/,
    /^ {2}decode +[\d.]+\/s +[\d.]+\/s +[\d.]+ +[\d.]+ to [\d.]+$/,
    /^ {2}peak memory +[\d.]+ MB +[\d.]+ MB +[\d.]+ +[\d.]+ to [\d.]+$/,
    /^llama\.cpp {7}not asked: not both are GGUF files$/,
    /^16 tokens of prompt, 4 generated, 2 times each in turn on 1 threads, [\d.]+ s$/,
  ];
  expect(out).toHaveLength(lines.length);
  for (const [i, line] of out.entries()) expect(line).toMatch(lines[i]!);
});

test("--json has every measurement", { timeout: 60_000 }, async () => {
  const model = shortDemo(temporaryFolder(), 1);
  const { out } = await runCommand("bench", model, model, ...QUICK, "--json");
  const { engines, models, left } = JSON.parse(out.at(-1)!) as BenchResult;
  expect(models[0]).toEqual(models[1]);
  expect(engines.map(({ engine }) => engine)).toEqual(["comp"]);
  expect(engines[0]!.speeds.map((each) => each.length)).toEqual([2, 2]);
  for (const { prefill, decode, peakBytes } of engines[0]!.speeds.flat())
    expect(Math.min(prefill, decode, peakBytes)).toBeGreaterThan(0);
  expect(left.map(({ engine }) => engine)).toEqual(["llama.cpp"]);
});

test("one model alone, a path that leads nowhere and a text too long are refused", async () => {
  const model = shortDemo(temporaryFolder(), 1);
  expect(await runCommand("bench", model)).toMatchObject({ code: 2, err: expect.stringContaining("takes two models") });
  expect(await runCommand("bench", model, "./nowhere")).toMatchObject({
    code: 1,
    err: expect.stringContaining("./nowhere does not exist"),
  });
  expect(await runCommand("bench", model, model, "--prompt-tokens", "100000")).toMatchObject({
    code: 2,
    err: expect.stringContaining("--prompt-tokens"),
  });
});
