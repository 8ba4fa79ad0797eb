// Prunes a model and prints what became of each layer.
//   node examples/prune.mjs [MODEL] [OUTPUT]
import { prune } from "../dist/index.js";

const [model = "models/demo", output = "demo-pruned"] = process.argv.slice(2);

for await (const event of prune({
  model,
  output,
  overwrite: true,
  sparsity: 0.2,
  samples: 16,
  context: 128,
})) {
  if (event.type === "layer")
    console.log(`layer ${event.index}: ${event.keptNeurons} neurons, error ${event.errorAfter.toFixed(3)}`);
  if (event.type === "done") {
    const { parameters, quality } = event.result;
    console.log(`${parameters.before} → ${parameters.after} parameters`);
    console.log(`perplexity ${quality.perplexity.before.toFixed(2)} → ${quality.perplexity.after.toFixed(2)}`);
  }
}
