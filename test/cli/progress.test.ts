import { expect, test } from "vitest";
import { createProgress, renderStage } from "../../src/cli/progress.ts";
import { captureScreen } from "../helpers/captured-screen.ts";

test("the time left follows from the pace of the stage", () => {
  expect(renderStage({ type: "stage", name: "prune", done: 10, total: 30 }, 40)).toBe("pruning 10/30, 1 min 20 s left");
  expect(renderStage({ type: "stage", name: "write", done: 0, total: 3 }, 0)).toBe("writing 0/3");
});

test("in a pipe a plain line appears once a minute", () => {
  const { screen, err } = captureScreen();
  let seconds = 0;
  const show = createProgress(screen, () => seconds);
  for (let done = 0; done < 13; done++) {
    show({ type: "stage", name: "prune", done, total: 13 });
    seconds += 10;
  }
  expect(err()).toBe("pruning 6/13, 1 min 10 s left\npruning 12/13, 10.0 s left\n");
});

test("a stage that begins again is timed anew", () => {
  const { screen, err } = captureScreen();
  let seconds = 0;
  const show = createProgress(screen, () => seconds);
  for (let round = 0; round < 2; round++)
    for (let done = 0; done < 2; done++) {
      show({ type: "stage", name: "trial", done, total: 2 });
      seconds += 60;
    }
  expect(err()).toBe("trying a cut 1/2, 1 min 00 s left\ntrying a cut 0/2\ntrying a cut 1/2, 1 min 00 s left\n");
});

test("on a terminal the line is live, and gone when the stage is done", () => {
  const { screen, err } = captureScreen({ terminal: true });
  const show = createProgress(screen, () => 0);
  show({ type: "stage", name: "verify", done: 0, total: 1 });
  show({ type: "stage", name: "verify", done: 1, total: 1 });
  expect(err()).toBe("\r\u001b[2Kverifying 0/1\r\u001b[2K");
});
