// Prunes a model by several methods on one calibration text and compares what they cost.
//   node examples/compare-methods.mjs [MODEL] [TEXT FILE] [OUTPUT]
import { readFile } from "node:fs/promises";
import { prune } from "../dist/index.js";

const [model = "models/demo", file = "README.md", output = "demo-pruned"] = process.argv.slice(2);
const calibration = [{ name: file, text: await readFile(file, "utf8") }];
const methods = [
  ["obs", "least-squares"],
  ["condition", "mask"],
  ["wanda", "none"],
];

for (const [criterion, recovery] of methods) {
  const options = { criterion, recovery, calibration, samples: 8, context: 64, overwrite: true };
  for await (const event of prune({ model, output, ...options }))
    if (event.type === "done")
      console.log(`${criterion} + ${recovery}: KL ${event.result.quality.klDivergence.toFixed(3)} nats`);
}
