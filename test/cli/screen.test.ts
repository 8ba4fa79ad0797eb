import { expect, test } from "vitest";
import { captureScreen } from "../helpers/captured-screen.ts";

const ERASE = "\r\u001b[2K";

test("in a pipe the live line is silent and writes no cursor codes", () => {
  const { screen, out, err } = captureScreen();
  screen.live("pruning 1/2");
  screen.print("row");
  screen.note("warning");
  expect([out(), err()]).toEqual(["row\n", "warning\n"]);
});

test("on a terminal the live line steps aside for a row and comes back", () => {
  const { screen, out, err } = captureScreen({ terminal: true });
  screen.live("pruning 1/2");
  screen.print("row");
  screen.live("");
  expect(out()).toBe("row\n");
  expect(err()).toBe(`${ERASE}pruning 1/2${ERASE}${ERASE}pruning 1/2${ERASE}`);
});

test("the live line never wraps", () => {
  const { screen, err } = captureScreen({ terminal: true });
  screen.live("x".repeat(100));
  expect(err()).toBe(`${ERASE}${"x".repeat(59)}`);
});
