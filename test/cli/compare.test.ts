// The built command, which prunes each cell by a process of its own.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Comparison } from "../../src/events/compare.ts";
import type { Evaluation } from "../../src/events/model.ts";
import { DEMO_MODEL, ROOT, runNode, whyNotBuilt } from "../helpers/built.ts";
import { PUBLISHED_DATA, writeData } from "../helpers/questions.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const reason = whyNotBuilt();
const comp = "dist/cli/main.js";
const mix = join(ROOT, "data/calibration-mix.txt");

const argumentsFor = (output: string, presets: string): string[] => [
  ...["compare", DEMO_MODEL, "--presets", presets, "--sparsity", "0.2", "--sparsity-of", "decoder", "--prune", "mlp"],
  ...["--calibration", mix, "--samples", "12", "--calibration-context", "32", "--threads", "1"],
  ...["--text", join(ROOT, "README.md"), "--windows", "2", "--context", "64", "-o", output],
];

const readCells = (output: string): string[] => readdirSync(join(output, "cells")).sort();

describe.skipIf(reason)(`comp compare${reason ? ` (${reason})` : ""}`, () => {
  test("judges each preset, says which is out of reach, and does not repeat what it has", async () => {
    const output = join(temporaryFolder(), "figures");
    const { code, out, err } = await runNode(comp, [
      ...argumentsFor(output, "magnitude,llm-pruner,wanda-sp"),
      "--json",
    ]);
    expect([code, err]).toEqual([0, ""]);
    const { cells, dense } = JSON.parse(out) as Comparison;
    expect(dense.parameters).toBe(2_230_400);
    expect(cells).toMatchObject([
      { preset: "magnitude", reached: { decoder: expect.closeTo(0.2, 6) } },
      { preset: "llm-pruner", failure: expect.stringContaining("cannot be reached by removing neurons alone") },
      { preset: "wanda-sp", texts: [{ text: "README.md", tokens: 126 }] },
    ]);
    expect(readFileSync(join(output, "compare.md"), "utf8")).toContain("| wanda-sp | 20.0 % |");
    expect(JSON.parse(readFileSync(join(output, "compare.json"), "utf8"))).toEqual(JSON.parse(out));
    expect(readdirSync(output).sort()).toEqual(["cells", "compare.json", "compare.md"]);
    const times = readCells(output).map((file) => statSync(join(output, "cells", file)).mtimeMs);
    const again = await runNode(comp, argumentsFor(output, "wanda-sp"));
    expect(again.out).toContain("| wanda-sp | 20.0 % |");
    expect(readCells(output).map((file) => statSync(join(output, "cells", file)).mtimeMs)).toEqual(times);
  });

  test("--memory holds the pruning of each preset", async () => {
    const output = join(temporaryFolder(), "figures");
    const { code, out } = await runNode(comp, [...argumentsFor(output, "magnitude"), "--memory", "1MB", "--json"]);
    expect(code).toBe(0);
    const { cells } = JSON.parse(out) as Comparison;
    expect(cells).toMatchObject([{ failure: expect.stringMatching(/takes at least .* --memory allows 1\.0 MB/) }]);
  });

  test("says when it judges on what it calibrates on", async () => {
    const output = join(temporaryFolder(), "figures");
    const { code, err } = await runNode(comp, [...argumentsFor(output, "magnitude"), "--text", mix]);
    expect(code).toBe(0);
    expect(err.match(/comp: warning: .*/g)).toEqual([
      "comp: warning: 100.0 % of the passages judged in calibration-mix.txt occur in the calibration text calibration-mix.txt too: figures on it flatter the pruned models",
    ]);
  });

  test("--tasks asks the dense and the pruned model, and needs data", async () => {
    const output = join(temporaryFolder(), "figures");
    const tasks = ["--tasks", "piqa,boolq", "--limit", "2"];
    const { code, err } = await runNode(comp, [...argumentsFor(output, "magnitude"), ...tasks]);
    expect([code, err]).toEqual([2, expect.stringContaining("the tasks need a folder with their data")]);
    const data = writeData(temporaryFolder(), PUBLISHED_DATA);
    const whole = [...argumentsFor(output, "magnitude"), ...tasks, "--task-data", data];
    const { out } = await runNode(comp, [...whole, "--json"]);
    const { dense, cells } = JSON.parse(out) as Comparison;
    for (const answers of [dense.tasks, "failure" in cells[0]! ? undefined : cells[0]!.tasks])
      expect(answers).toMatchObject({ piqa: { n: 2 }, boolq: { acc: expect.any(Number) } });
    const alone = await runNode(comp, [
      ...["eval", DEMO_MODEL, "--threads", "1", "--task-data", data, "--json"],
      ...tasks,
    ]);
    expect((JSON.parse(alone.out) as Evaluation).tasks).toEqual(dense.tasks);
  });

  test("--keep keeps the pruned models", async () => {
    const output = join(temporaryFolder(), "figures");
    await runNode(comp, [...argumentsFor(output, "magnitude"), "--keep"]);
    expect(existsSync(join(output, "models/magnitude-0.2/config.json"))).toBe(true);
  });

  test("Ctrl-C leaves the finished cells and nothing else", async () => {
    const output = join(temporaryFolder(), "figures");
    const child = spawn(process.execPath, [join(ROOT, comp), ...argumentsFor(output, "magnitude,osscar,comp-paper")]);
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    const watch = setInterval(() => {
      if (existsSync(join(output, "compare.md"))) {
        clearInterval(watch);
        child.kill("SIGINT");
      }
    }, 20);
    const code = await new Promise((resolve) => child.on("close", resolve));
    clearInterval(watch);
    expect([code, said]).toEqual([130, `comp: stopped; the cells that are finished stay in ${output}\n`]);
    expect(readCells(output)).toHaveLength(1);
    expect(readdirSync(output).sort()).toEqual(["cells", "compare.json", "compare.md"]);
  });
});
