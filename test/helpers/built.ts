// The built command line as a process. Tests of it skip where `npm run build` has not run.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

export const ROOT: string = join(import.meta.dirname, "../..");
export const DEMO_MODEL: string = join(ROOT, "models/demo");
export const DEMO_MIXTURE: string = join(ROOT, "models/demo-moe");

/** Why tests of the built package cannot run; undefined when they can. */
export function whyNotBuilt(): string | undefined {
  if (!existsSync(join(ROOT, "dist/index.js"))) return "not built: npm run build";
  return existsSync(join(DEMO_MODEL, "config.json")) ? undefined : "no demo model";
}

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `node SCRIPT ...`; `onOutput` sees stdout as it comes and may signal the process. */
export function runNode(
  script: string,
  args: readonly string[] = [],
  onOutput: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ended> {
  const child = spawn(process.execPath, [join(ROOT, script), ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    onOutput(text, (signal) => child.kill(signal));
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
}
