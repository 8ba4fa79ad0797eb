// Prunes models by a fifth and prints a table row each: time, memory and page faults, as they stand in the README. Or prunes some
// layers of a real model's shapes, and tells what all of them would take.
//   npm run bench -- [--samples N] [--memory SIZE] [MODEL ...]      default: the bundled model
//   npm run bench -- --roofline ...                                 by stage, against what the processor can do (roofline.mjs)
//   npm run bench -- --moe [--layers N] [--samples N]               a quarter of the experts of Qwen3-30B-A3B's shapes (experts.mjs)
//   npm run bench -- --shape 1b|7b [--layers N] [--samples N] [--memory SIZE]
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { benchExperts } from "./experts.mjs";
import { prune } from "./pruning.mjs";
import { roofline } from "./roofline.mjs";
import { benchShape } from "./shaped.mjs";

const { values, positionals } = parseArgs({
  options: {
    shape: { type: "string" },
    layers: { type: "string", default: "2" },
    samples: { type: "string" },
    memory: { type: "string" },
    roofline: { type: "boolean" },
    moe: { type: "boolean" },
  },
  allowPositionals: true,
});
values.samples ??= values.moe ? "32" : "256";
const folder = mkdtempSync(join(tmpdir(), "comp-bench-"));

console.log(
  `${cpus().length} × ${cpus()[0].model}, node ${process.version}, ${values.samples} windows of 256 tokens\n`,
);
try {
  const models = positionals.length > 0 ? positionals : ["models/demo"];
  if (values.shape) await benchShape(values.shape, { ...values, layers: Number(values.layers) }, folder);
  else if (values.moe) await benchExperts({ ...values, layers: Number(values.layers) }, folder);
  else if (values.roofline) for (const model of models) await roofline(model, join(folder, "out"), values);
  else await benchModels(models);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}

async function benchModels(models) {
  console.log("| model | parameters | perplexity | KL, nats | seconds | peak memory | page faults |");
  console.log("|---|---|---|---|---|---|---|");
  for (const model of models) console.log(renderRow(model, await prune(model, join(folder, "out"), values)));
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
