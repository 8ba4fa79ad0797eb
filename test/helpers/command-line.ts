// A command line run in this process on the real library: its exit code and what it says.
import { runCommandLine } from "../../src/cli/run.ts";
import { captureScreen } from "./captured-screen.ts";

export interface Said {
  readonly code: number;
  /** Lines. */
  readonly out: readonly string[];
  readonly err: string;
}

export async function runCommand(...argv: string[]): Promise<Said> {
  const { screen, out, err } = captureScreen();
  const signal = new AbortController().signal;
  const loadLibrary = () => import("../../src/index.ts");
  const code = await runCommandLine(argv, { version: "1", loadLibrary, screen, signal, debug: false });
  return { code, out: out().trimEnd().split("\n"), err: err() };
}
