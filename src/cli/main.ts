#!/usr/bin/env node
// The process around a command line: the only place that listens to signals and exits.
import { removeUnfinished } from "../node/disk.ts";
import { VERSION } from "../version.ts";
import { EXIT, runCommandLine, writesFiles } from "./run.ts";
import { createScreen } from "./screen.ts";

const argv = process.argv.slice(2);
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
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  const readerIsGone = error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED";
  if (!readerIsGone) screen.note(`comp: cannot print the result: ${error.message}`);
  // as in `comp inspect model | head -1`: nobody reads on, which is no failure; a model on its way is finished all the same
  if (!readerIsGone || !writesFiles(argv)) exitNow(readerIsGone ? EXIT.success : EXIT.failure);
});
process.stderr.on("error", () => {}); // without a reader of messages there is nobody to tell

process.exitCode = await runCommandLine(argv, {
  version: VERSION,
  loadLibrary: () => import("../index.ts"),
  screen,
  signal: controller.signal,
  debug: process.env.COMP_DEBUG === "1",
});
