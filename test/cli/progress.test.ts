import { expect, test } from "vitest";
import { createProgress, renderStage } from "../../src/cli/progress.ts";
import type { StageName } from "../../src/events/common.ts";
import { formatSeconds } from "../../src/report/format.ts";
import { captureScreen } from "../helpers/captured-screen.ts";

const stage = (name: StageName, done: number, total: number) => ({ type: "stage", name, done, total }) as const;

test("the time left follows from the pace of the stage since its first step", () => {
  const since = { done: 1, seconds: 36 };
  expect(renderStage(stage("prune", 10, 30), since)).toBe("pruning 10/30, 1 min 20 s left");
  expect(renderStage(stage("prune", 1, 30), { done: 1, seconds: 0 })).toBe("pruning 1/30");
  expect(renderStage(stage("write", 0, 3))).toBe("writing 0/3");
});

test("steps of an ablation grow: half of them are a quarter of the work", () => {
  const copiesUntil = (layers: number): number =>
    Array.from({ length: layers }, (_, i) => i + 2).reduce((a, b) => a + b, 0);
  const seconds = copiesUntil(15) - copiesUntil(1);
  const left = copiesUntil(30) - copiesUntil(15);
  expect(renderStage(stage("ablation", 15, 30), { done: 1, seconds })).toBe(
    `ablating single layers 15/30, ${formatSeconds(left)} left`,
  );
});

test("in a pipe a plain line appears once a minute", () => {
  const { screen, err } = captureScreen();
  let seconds = 0;
  const show = createProgress(screen, () => seconds);
  for (let done = 0; done < 13; done++) {
    show(stage("prune", done, 13));
    seconds += 10;
  }
  expect(err()).toBe("pruning 6/13, 1 min 10 s left\npruning 12/13, 10.0 s left\n");
});

test("a stage that begins again is timed anew", () => {
  const { screen, err } = captureScreen();
  let seconds = 0;
  const show = createProgress(screen, () => seconds);
  for (let round = 0; round < 2; round++)
    for (let done = 0; done < 3; done++) {
      show(stage("trial", done, 3));
      seconds += 60;
    }
  const lines = ["trying a cut 1/3", "trying a cut 2/3, 1 min 00 s left"];
  expect(err()).toBe([...lines, "trying a cut 0/3", ...lines, ""].join("\n"));
});

test("on a terminal the line is live, and gone when the stage is done", () => {
  const { screen, err } = captureScreen({ terminal: true });
  const show = createProgress(screen, () => 0);
  show(stage("verify", 0, 1));
  show(stage("verify", 1, 1));
  expect(err()).toBe("\r\u001b[2Kverifying 0/1\r\u001b[2K");
});
