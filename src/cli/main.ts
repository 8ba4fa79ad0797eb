#!/usr/bin/env node
// The process around a command line: the only place that listens to signals and exits.
import { removeUnfinished } from "../node/unfinished.ts";
import { VERSION } from "../version.ts";
import { EXIT, runCommandLine } from "./run.ts";
import { createScreen } from "./screen.ts";

const controller = new AbortController();
const screen = createScreen(process.stdout, process.stderr);

function exitNow(code: number): never {
  removeUnfinished();
  process.exit(code);
}

/** The first signal lets the command end by itself and clean up, a second one does not wait for it. */
function stop(): void {
  if (controller.signal.aborted) exitNow(EXIT.interrupted);
  screen.live("stopping");
  controller.abort();
}

process.on("SIGINT", stop);
process.on("SIGTERM", stop);
// whoever read our output is gone, as in `comp inspect model | head -1`: no message, nobody would see it
process.stdout.on("error", () => exitNow(EXIT.failure));

process.exitCode = await runCommandLine(process.argv.slice(2), {
  version: VERSION,
  loadLibrary: async () => (await import("./library.ts")).library,
  screen,
  signal: controller.signal,
  debug: process.env.COMP_DEBUG === "1",
});
