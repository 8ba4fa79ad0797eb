// Prunes models by a fifth and prints a table row each: time, memory and page faults, as they stand in the README.
//   npm run bench -- [--samples N] [--memory SIZE] [MODEL ...]      default: the bundled model
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  options: { samples: { type: "string", default: "256" }, memory: { type: "string" } },
  allowPositionals: true,
});
const models = positionals.length > 0 ? positionals : ["models/demo"];
const folder = mkdtempSync(join(tmpdir(), "comp-bench-"));

console.log(
  `${cpus().length} × ${cpus()[0].model}, node ${process.version}, ${values.samples} windows of 256 tokens\n`,
);
console.log("| model | parameters | perplexity | KL, nats | seconds | peak memory | page faults |");
console.log("|---|---|---|---|---|---|---|");
try {
  for (const model of models) console.log(renderRow(model, await prune(model)));
} finally {
  rmSync(folder, { recursive: true });
}

/** Runs the command line, as a person would, and returns its result, with the minor page faults where they can be known. */
async function prune(model) {
  const output = ["--json", "--overwrite", "--no-cache", "-o", join(folder, "out"), "--samples", values.samples];
  const limit = values.memory === undefined ? [] : ["--memory", values.memory];
  const args = ["dist/cli/main.js", "prune", model, "--calibration", "data/calibration-mix.txt", ...output, ...limit];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let [out, faults] = ["", undefined];
  for await (const text of child.stdout.setEncoding("utf8")) {
    out += text;
    faults = minorFaults(child.pid) ?? faults; // the last time as it tells its result
  }
  const last = JSON.parse(out.trim().split("\n").at(-1) || "{}");
  if (last.type !== "done") throw new Error(`${model} was not pruned`);
  return { ...last.result, faults };
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

function renderRow(model, { parameters, quality, seconds, peakBytes, faults }) {
  const millions = (count) => `${(count / 1e6).toFixed(1)} M`;
  const cells = [
    basename(model),
    `${millions(parameters.before)} → ${millions(parameters.after)}`,
    `${quality.perplexity.before.toFixed(2)} → ${quality.perplexity.after.toFixed(2)}`,
    quality.klDivergence.toFixed(3),
    seconds.toFixed(0),
    `${(peakBytes / 1e9).toFixed(2)} GB`,
    faults === undefined ? "" : millions(faults),
  ];
  return `| ${cells.join(" | ")} |`;
}
