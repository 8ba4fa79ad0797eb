// A criterion of one's own, in one file, beside two that are built in.
//   npx tsx examples/own-criterion.ts [MODEL] [OUTPUT]
import { type Criterion, pruneCheckpoint, removeLowest } from "../src/index.ts"; // elsewhere: from "comp-llm"

const [model = "models/demo", output = "demo-pruned"] = process.argv.slice(2);

/**
 * score_j = ‖z_j‖² · √(Σ_i W_ij⁴), z_j the activations of neuron j and W down_proj.
 *
 * @see Le et al. 2025 (Probe Pruning), the metric PPsp
 */
const probe: Criterion = {
  name: "probe",
  description: "energy of the activation times the norm of the squared weights",
  oneShot: true, // a neuron's score does not depend on which others go: `allocation: "global"` may rank by it
  async rank({ downProj, hiddenSize, intermediateSize }, { gram }, count) {
    const scores = Float64Array.from({ length: intermediateSize }, (_, j) => {
      let fourth = 0;
      for (let i = 0; i < hiddenSize; i++) fourth += downProj[i * intermediateSize + j]! ** 4;
      return gram[j * intermediateSize + j]! * Math.sqrt(fourth);
    });
    return removeLowest(scores, count);
  },
};

const options = { recovery: "least-squares", samples: 16, context: 64, sparsity: 0.2, overwrite: true } as const;

for (const criterion of [probe, "wanda", "random"] as const)
  for await (const event of pruneCheckpoint({ model, output, criterion, ...options }))
    if (event.type === "done")
      console.log(`${event.result.options.criterion}: KL ${event.result.quality.klDivergence.toFixed(3)} nats`);
