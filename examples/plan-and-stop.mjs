// Looks at the plan first, and stops a run from outside: the output folder never appears.
//   node examples/plan-and-stop.mjs [MODEL] [OUTPUT]
import { CompError, prune } from "../dist/index.js";

const [model = "models/demo", output = "demo-stopped"] = process.argv.slice(2);

for await (const event of prune({ model, output, sparsity: 0.3, dryRun: true }))
  if (event.type === "plan") console.log(`width ${event.intermediateSize.before} → ${event.intermediateSize.after}`);

const controller = new AbortController();
try {
  for await (const event of prune({
    model,
    output,
    sparsity: 0.3,
    samples: 16,
    context: 128,
    signal: controller.signal,
  }))
    if (event.type === "layer") controller.abort();
} catch (error) {
  if (!(error instanceof CompError && error.kind === "aborted")) throw error;
  console.log("stopped after the first layer");
}
