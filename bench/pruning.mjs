// A run of the command line as a person would have it, measured from outside.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/**
 * Prunes a model. Returns its result, the minor page faults where they can be known, and the seconds of each stage: from its first
 * step to the first of the next; what comes before any stage is "start".
 */
export async function prune(model, output, { samples, memory, more = [] }) {
  const args = ["prune", model, "--json", "--overwrite", "--no-cache", "-o", output, ...more];
  args.push("--calibration", "data/calibration-mix.txt", ...(samples ? ["--samples", samples] : []));
  if (memory) args.push("--memory", memory);
  const child = spawn(process.execPath, ["dist/cli/main.js", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const stages = {};
  let [stage, since, last, faults] = ["start", performance.now(), {}, undefined];
  for await (const line of createInterface({ input: child.stdout })) {
    last = JSON.parse(line);
    const now = performance.now();
    stages[stage] = (stages[stage] ?? 0) + (now - since) / 1000;
    since = now;
    if (last.type === "stage") stage = last.name;
    faults = minorFaults(child.pid) ?? faults; // the last time as it tells its result
  }
  if (last.type !== "done") throw new Error(`${model} was not pruned`);
  return { ...last.result, faults, stages };
}

/** Of a process that is running; undefined without /proc. */
function minorFaults(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[7]);
  } catch {
    return undefined;
  }
}
